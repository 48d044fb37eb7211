"""What a disk image is, read from its bytes alone, before qemu-img or QEMU may open it.

Refuses what could make QEMU open another file (backing file, external data file), what it cannot know (unknown
incompatible features, encryption) and formats that are not ours. Pure Python; sources: QEMU docs/interop/qcow2.txt and
the probe functions of QEMU's block drivers. Knows nothing of registries, claims or VMs.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import msgspec

from solovirt.host.images import files
from solovirt.kit.errors import HostError
from solovirt.kit.text import printable

MAX_VIRTUAL_SIZE = 64 << 40
"""64 TiB: more than any claim here can hold; a larger size in a header is a mistake or an attack."""

_QCOW = b"QFI\xfb"
_V2_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
_V3_TAIL = struct.Struct(">QQQII")
_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED_L2 = (1 << bit for bit in range(5))
_KNOWN_FEATURES = _DIRTY | _CORRUPT | _DATA_FILE | _COMPRESSION | _EXTENDED_L2
_EXT_END, _EXT_DATA_FILE, _EXT_CRYPTO, _EXT_BACKING_FORMAT = 0, 0x44415441, 0x0537BE77, 0xE2792ACA
_MAX_EXTENSIONS = 64
_MAX_L1_ENTRIES = (32 << 20) // 8
_MAX_REFCOUNT_TABLE = 8 << 20
_MAX_SNAPSHOTS = 65536
_HEAD = 64 * 1024

_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"KDMV", "a VMDK image"),
    (0, b"COWD", "a VMDK image"),
    (0, b"# Disk DescriptorFile", "a VMDK descriptor, which names other files"),
    (0x40, b"\x7f\x10\xda\xbe", "a VDI image"),
    (0, b"vhdxfile", "a VHDX image"),
    (0, b"conectix", "a VHD image"),
    (0, b"QED\0", "a QED image"),
    (0, b"LUKS\xba\xbe", "encrypted with LUKS"),
    (0, b"WithoutFreeSpace", "a Parallels image"),
    (0, b"WithouFreSpacExt", "a Parallels image"),
    (0, b"Bochs Virtual HD Image", "a Bochs image"),
    (0, b"OOOM", "a User-mode Linux COW image, which names another file"),
    (0, b"\x1f\x8b\x08", "compressed with gzip"),
    (0, b"\xfd7zXZ\0", "compressed with xz"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x7fELF", "a program, not a disk"),
)


class Inspection(msgspec.Struct, frozen=True):
    """``format`` is "qcow2" or "raw"; sizes in bytes. ``backing`` is empty unless ``allow_backing`` was given."""

    format: str
    virtual_size: int
    file_size: int
    backing: str = ""
    backing_format: str = ""


def refused(name: str, why: str, *, field: str = "", hint: str = "") -> HostError:
    return HostError(f"disk image {name} is {why}: refused", reason="InvalidImage", field=field, hint=hint)


def inspect(
    path: Path,
    *,
    name: str = "",
    field: str = "",
    max_virtual_size: int = MAX_VIRTUAL_SIZE,
    allow_backing: bool = False,
) -> Inspection:
    """Looks into one file (a symbolic link as last component is refused).

    ``name`` is what messages call it. ``allow_backing`` is for overlays that solovirt made itself. Raises
    ``HostError`` with reason ``InvalidImage`` (what is wrong with the image) or ``UnreadableFile``.
    """
    descriptor = files.open_regular(path, "disk image")
    try:
        return inspect_descriptor(
            descriptor,
            name=name or str(path),
            field=field,
            max_virtual_size=max_virtual_size,
            allow_backing=allow_backing,
        )
    finally:
        os.close(descriptor)


def inspect_descriptor(
    descriptor: int,
    *,
    name: str,
    field: str = "",
    max_virtual_size: int = MAX_VIRTUAL_SIZE,
    allow_backing: bool = False,
) -> Inspection:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    head = os.pread(descriptor, _HEAD, 0)
    try:
        if head.startswith(_QCOW):
            found = _Qcow2(descriptor, head, size).inspect(allow_backing)
        else:
            _refuse_foreign(descriptor, head, size)
            found = Inspection("raw", size, size)
    except _Refusal as refusal:
        raise refused(name, str(refusal), field=field, hint=refusal.hint) from None
    if found.virtual_size > max_virtual_size:
        told = f"{files.format_size(found.virtual_size)} large, more than {files.format_size(max_virtual_size)}"
        raise refused(name, told, field=field)
    return found


class _Refusal(Exception):
    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


def _refuse_foreign(descriptor: int, head: bytes, size: int) -> None:
    if not size:
        raise _Refusal("empty")
    hint = "solovirt takes raw and qcow2; convert it first: qemu-img convert -O qcow2 IN OUT"
    for offset, magic, what in _FOREIGN:
        if head[offset : offset + len(magic)] == magic:
            raise _Refusal(what, hint)
    if _is_vmdk_text(head):
        raise _Refusal("a VMDK descriptor, which names other files", hint)
    footer = os.pread(descriptor, 512, max(0, size - 512))
    if footer.startswith(b"conectix"):
        raise _Refusal("a VHD image", hint)
    if footer.startswith(b"koly"):
        raise _Refusal("a DMG image", hint)


def _is_vmdk_text(head: bytes) -> bool:
    """QEMU's vmdk_probe: comments and blank lines, then ``version=N``; editors may have put a BOM before it."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    for line in text.splitlines()[:100]:
        stripped = line.strip()
        if stripped.lower().startswith((b"version=", b"createtype=", b"parentcid=")):
            return True
        if stripped and not stripped.startswith(b"#"):
            return False
    return False


class _Qcow2:
    """One qcow2 header, checked field by field in the order of docs/interop/qcow2.txt."""

    def __init__(self, descriptor: int, head: bytes, size: int) -> None:
        self.descriptor = descriptor
        self.size = size
        if len(head) < _V2_HEADER.size:
            raise _Refusal("a truncated qcow2 image")
        (
            _,
            self.version,
            self.backing_offset,
            self.backing_length,
            self.cluster_bits,
            self.virtual_size,
            self.encryption,
            self.l1_entries,
            self.l1_offset,
            self.refcount_offset,
            self.refcount_clusters,
            self.snapshots,
            _,
        ) = _V2_HEADER.unpack_from(head)
        if self.version not in (2, 3):
            raise _Refusal(f"a qcow image of version {self.version}", "only qcow2 versions 2 and 3 are known")
        self.features, self.header_length = 0, _V2_HEADER.size
        if self.version == 3:
            if len(head) < _V2_HEADER.size + _V3_TAIL.size:
                raise _Refusal("a truncated qcow2 image")
            self.features, _, _, _, self.header_length = _V3_TAIL.unpack_from(head, _V2_HEADER.size)

    def inspect(self, allow_backing: bool) -> Inspection:
        self._check_features()
        self._check_geometry()
        extensions = self._extensions()
        if _EXT_DATA_FILE in extensions:
            raise _Refusal("a qcow2 image with an external data file")
        if _EXT_CRYPTO in extensions:
            raise _Refusal("an encrypted qcow2 image")
        backing = self._backing()
        backing_format = extensions.get(_EXT_BACKING_FORMAT, b"").decode("utf-8", "replace")
        if (backing or backing_format) and not allow_backing:
            told = "a qcow2 image with a backing file" + (f" ({printable(backing, 120)})" if backing else "")
            raise _Refusal(told, "flatten it first: qemu-img convert -O qcow2 IN OUT")
        return Inspection("qcow2", self.virtual_size, self.size, backing, backing_format)

    def _check_features(self) -> None:
        if self.features & _DATA_FILE:
            raise _Refusal("a qcow2 image with an external data file")
        if self.features & _CORRUPT:
            raise _Refusal("a qcow2 image that is marked corrupt", "repair it: qemu-img check -r all FILE")
        unknown = self.features & ~_KNOWN_FEATURES
        if unknown:
            raise _Refusal(f"a qcow2 image with unknown incompatible features ({unknown:#x})")
        if self.encryption:
            raise _Refusal("an encrypted qcow2 image")

    def _check_geometry(self) -> None:
        if not 9 <= self.cluster_bits <= 21:
            raise _Refusal(f"a qcow2 image with an impossible cluster size (2^{self.cluster_bits})")
        cluster = 1 << self.cluster_bits
        if self.version == 3 and not 104 <= self.header_length <= cluster:
            raise _Refusal("a qcow2 image with an impossible header length")
        entry = 16 if self.features & _EXTENDED_L2 else 8
        needed = -(-self.virtual_size // (cluster * (cluster // entry)))
        if self.l1_entries < needed or self.l1_entries > _MAX_L1_ENTRIES:
            raise _Refusal("a qcow2 image whose size does not match its tables")
        tables = ((self.l1_offset, self.l1_entries * 8), (self.refcount_offset, self.refcount_clusters * cluster))
        for offset, length in tables:
            if offset % cluster or (length and not cluster <= offset <= self.size):
                raise _Refusal("a qcow2 image with tables outside the file")
        if not self.refcount_clusters or self.refcount_clusters * cluster > _MAX_REFCOUNT_TABLE:
            raise _Refusal("a qcow2 image with an impossible reference count table")
        if self.snapshots > _MAX_SNAPSHOTS:
            raise _Refusal("a qcow2 image with too many snapshots")

    def _extensions(self) -> dict[int, bytes]:
        cluster = 1 << self.cluster_bits
        end = self.backing_offset if 0 < self.backing_offset <= cluster else cluster
        area = os.pread(self.descriptor, end, 0)
        found: dict[int, bytes] = {}
        offset = self.header_length
        for _ in range(_MAX_EXTENSIONS):
            if offset + 8 > len(area):
                return found
            kind, length = struct.unpack_from(">II", area, offset)
            if kind == _EXT_END:
                return found
            if offset + 8 + length > len(area):
                raise _Refusal("a qcow2 image with a header extension outside its header")
            found[kind] = area[offset + 8 : offset + 8 + length]
            offset += 8 + (length + 7) // 8 * 8
        raise _Refusal("a qcow2 image with too many header extensions")

    def _backing(self) -> str:
        if not self.backing_offset:
            return ""
        if self.backing_length > 1023 or self.backing_offset + self.backing_length > 1 << self.cluster_bits:
            raise _Refusal("a qcow2 image with an impossible backing file name")
        name = os.pread(self.descriptor, self.backing_length, self.backing_offset)
        return name.decode("utf-8", "surrogateescape") or "(no name)"
