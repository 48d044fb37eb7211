"""Single files out of the layers of a container image, as an overlay file system would show them.

Layers are read once each, from the top. Only regular files that were asked for are taken, by name; nothing is ever
unpacked as a tree. Links and devices under a wanted name are refused. Every size in an archive is untrusted: headers,
members, totals and compression ratios are capped. Knows nothing of registries or of the cache. Blocks.

Sources: OCI image-spec layer.md (whiteouts), POSIX pax.
"""

from __future__ import annotations

import gzip
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import msgspec

from solovirt.host import packages
from solovirt.host.images.files import SparseWriter, format_size
from solovirt.host.images.threads import Checkpoint
from solovirt.kit.errors import HostError

_CHUNK = 1 << 20
_MAX_HEADER = 256 << 10
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


class Limits(msgspec.Struct, frozen=True):
    """Bytes, except ``members`` (of all layers), ``files`` (taken), ``names`` (told) and ``ratio``.

    ``ratio`` is of bytes that are not zero to compressed bytes, above ``ratio_floor``: an empty raw disk compresses
    a thousandfold, honestly, and costs no space here.
    """

    unpacked: int = 256 << 30
    members: int = 300_000
    files: int = 64
    ratio: int = 200
    ratio_floor: int = 1 << 30
    names: int = 256


class Layer(msgspec.Struct, frozen=True):
    """One layer file; ``compression`` is "", "gzip" or "zstd"."""

    path: Path
    compression: str


class Extraction(msgspec.Struct):
    """``taken``: path in the image ("/disk/a.img") -> its temporary file; ``names``: the regular files seen."""

    taken: dict[str, SparseWriter] = {}
    names: list[str] = []
    names_complete: bool = True
    refusals: dict[str, str] = {}
    """Path -> why it cannot be taken ("a symbolic link")."""


def _bad(message: str) -> HostError:
    return HostError(message, reason="InvalidImage")


def normalise(path: str) -> str:
    """The absolute form of a member name: "./disk/a" -> "/disk/a". Raises ``ValueError`` for ``..`` and NUL."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise ValueError(path)
    return "/" + "/".join(parts)


class _Forward:
    """A decompressed stream that looks seekable forwards, with the caps that ``tarfile`` itself lacks."""

    def __init__(self, stream: IO[bytes], limits: Limits, compressed: Path, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._stream = stream
        self._limits = limits
        self._compressed = compressed
        self._position = 0
        self.stored = 0

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        """For ``tarfile``, which reads a pax header or a long name whole, however long it says that it is."""
        if not 0 <= size <= _MAX_HEADER:
            raise _bad("layer has a tar header that is too large")
        return self.take(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence or offset < self._position:
            raise _bad("layer is not a plain tar archive")
        while self._position < offset:
            if not self.take(min(_CHUNK, offset - self._position)):
                break
        return self._position

    def take(self, size: int) -> bytes:
        self._checkpoint()
        pieces: list[bytes] = []
        while size:
            piece = self._stream.read(size)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        data = b"".join(pieces)
        self._position += len(data)
        if self._position > self._limits.unpacked:
            raise _bad(f"layer unpacks to more than {format_size(self._limits.unpacked)}")
        return data

    def check_ratio(self, stored: int) -> None:
        compressed = max(1, self._compressed.stat().st_size)
        if stored > self._limits.ratio_floor and stored > self._limits.ratio * compressed:
            raise _bad(
                f"layer unpacks to more than {self._limits.ratio} times its size: refused as a decompression bomb"
            )


@contextmanager
def _opened(layer: Layer) -> Iterator[IO[bytes]]:
    if layer.compression == "zstd":
        with _zstd(layer.path) as stream:
            yield stream
        return
    with open(layer.path, "rb") as raw:
        if layer.compression == "gzip":
            with gzip.open(raw) as unpacked:
                yield cast(IO[bytes], unpacked)
        else:
            yield raw


@contextmanager
def _zstd(path: Path) -> Iterator[IO[bytes]]:
    tool = packages.require("zstd", needed_for="zstd-compressed image layers")
    dying = packages.require("setpriv")
    command = [str(dying), "--pdeathsig", "KILL", str(tool), "-dc", "--memory=128MiB", "--", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            yield process.stdout
            if process.stdout.read(1) == b"" and process.wait():
                text = process.stderr.read(500).decode(errors="replace").strip()
                raise _bad(f"layer is not valid zstd: {text}")
        finally:
            process.kill()


class _Walk:
    """The union of layers as far as it is known: what upper layers have settled hides what lies below."""

    def __init__(
        self,
        wanted: Callable[[str], bool],
        create: Callable[[], SparseWriter],
        limits: Limits,
        checkpoint: Checkpoint,
    ) -> None:
        self.checkpoint = checkpoint
        self.wanted = wanted
        self.create = create
        self.limits = limits
        self.found = Extraction()
        self._count = 0
        self._settled: set[str] = set()
        self._hidden: set[str] = set()
        """Paths whose lower versions, and everything below them, no longer show."""
        self._opaque: set[str] = set()
        """Directories whose lower content no longer shows."""

    def layer(self, layer: Layer) -> None:
        settled: set[str] = set()
        hidden: set[str] = set()
        opaque: set[str] = set()
        with _opened(layer) as stream:
            forward = _Forward(stream, self.limits, layer.path, self.checkpoint)
            with tarfile.open(fileobj=forward, mode="r:", errors="surrogateescape") as archive:  # type: ignore[call-overload]
                for member in _members(archive):
                    self._count += 1
                    if self._count > self.limits.members:
                        raise _bad(f"image has more than {self.limits.members} members")
                    self._member(member, forward, settled, hidden, opaque)
            forward.seek(self.limits.unpacked)
        self._settled |= settled
        self._hidden |= hidden
        self._opaque |= opaque

    def _member(
        self, member: tarfile.TarInfo, forward: _Forward, settled: set[str], hidden: set[str], opaque: set[str]
    ) -> None:
        try:
            path = normalise(member.name)
        except ValueError:
            return
        folder, _, base = path.rpartition("/")
        if base == _OPAQUE:
            opaque.add(folder)
            return
        if base.startswith(_WHITEOUT):
            hidden.add(f"{folder}/{base.removeprefix(_WHITEOUT)}")
            return
        if self._below(path):
            return
        if not member.isdir():
            hidden.add(path)
        self._forget(path)
        settled.add(path)
        if member.isreg():
            self._regular(path, member, forward)
        elif not member.isdir() and (self.wanted(path) or path.count("/") <= 2):
            self.found.refusals[path] = _kind(member)

    def _below(self, path: str) -> bool:
        """An upper layer has settled or hidden this path."""
        if path in self._settled or path in self._hidden:
            return True
        parts = path.split("/")
        ancestors = ("/".join(parts[:end]) for end in range(1, len(parts)))
        return any(a in self._hidden or a in self._opaque for a in ancestors)

    def _forget(self, path: str) -> None:
        """Within one layer the last member of a name counts."""
        self.found.refusals.pop(path, None)
        old = self.found.taken.pop(path, None)
        if old is not None:
            old.path.unlink(missing_ok=True)

    def _regular(self, path: str, member: tarfile.TarInfo, forward: _Forward) -> None:
        if _encodable(path):
            if len(self.found.names) < self.limits.names:
                self.found.names.append(path)
            else:
                self.found.names_complete = False
        if not self.wanted(path):
            return
        if member.issparse():
            self.found.refusals[path] = "a sparse tar member"
            return
        if len(self.found.taken) >= self.limits.files:
            raise _bad(f"image has more than {self.limits.files} files to take")
        forward.seek(member.offset_data)
        with self.create() as writer:
            left = member.size
            while left > 0:
                data = forward.take(min(_CHUNK, left))
                if not data:
                    raise _bad(f"layer ends inside {path}")
                writer.write(data)
                left -= len(data)
                forward.check_ratio(forward.stored + writer.stored)
            forward.stored += writer.stored
            writer.commit()
        self.found.taken[path] = writer


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Like iterating, without keeping every member and global header in memory."""
    while (member := archive.next()) is not None:
        yield member
        vars(archive)["members"].clear()
        vars(archive)["pax_headers"].clear()


def _encodable(path: str) -> bool:
    return path.isprintable() and not any(0xD800 <= ord(c) <= 0xDFFF for c in path)


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym():
        return "a symbolic link"
    if member.islnk():
        return "a hard link"
    return "not a regular file"


def extract(
    layers: Iterable[Layer],
    wanted: Callable[[str], bool],
    create: Callable[[], SparseWriter],
    limits: Limits | None = None,
    checkpoint: Checkpoint = lambda: None,
) -> Extraction:
    """Takes every regular file for which ``wanted(path)``; ``layers`` are from the bottom up, as in a manifest.

    ``create`` gives a new temporary file; those of the result are committed, and the caller's to move or delete. Raises
    ``HostError`` reason ``InvalidImage`` for malformed or excessive layers, and then leaves no file.
    """
    walk = _Walk(wanted, create, limits or Limits(), checkpoint)
    try:
        for layer in reversed(list(layers)):
            walk.layer(layer)
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, UnicodeError, RecursionError) as error:
        discard(walk.found)
        raise _bad(f"layer is not a valid tar archive: {error}") from error
    except BaseException:
        discard(walk.found)
        raise
    return walk.found


def discard(extraction: Extraction) -> None:
    for writer in extraction.taken.values():
        writer.path.unlink(missing_ok=True)
