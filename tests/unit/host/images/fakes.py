"""Images made by hand: tar layers, manifests, qcow2 headers, and a registry in memory in place of skopeo."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from solovirt.host.images.credentials import Credentials
from solovirt.host.images.reference import Reference
from solovirt.kit import json
from solovirt.kit.errors import HostError
from solovirt.kit.json import Json

MIB = 1 << 20
OCI = "application/vnd.oci.image"


def raw_disk(marker: bytes = b"disk", size: int = MIB) -> bytes:
    return marker + bytes(size - len(marker))


def qcow2(
    *,
    version: int = 3,
    size: int = 64 * MIB,
    cluster_bits: int = 16,
    backing: bytes = b"",
    features: int = 0,
    encryption: int = 0,
    l1_entries: int = 1,
    extensions: Sequence[tuple[int, bytes]] = (),
    snapshots: int = 0,
    refcount_clusters: int = 1,
) -> bytes:
    """A qcow2 image with the least of tables: enough for qemu-img info, not for data."""
    header_length = 104 if version == 3 else 72
    tail = b"".join(struct.pack(">II", k, len(d)) + d + bytes(-len(d) % 8) for k, d in extensions) + bytes(8)
    backing_offset = header_length + len(tail) if backing else 0
    head = struct.pack(
        ">4sIQIIQIIQQIIQ",
        b"QFI\xfb",
        version,
        backing_offset,
        len(backing),
        cluster_bits,
        size,
        encryption,
        l1_entries,
        3 << 16,
        1 << 16,
        refcount_clusters,
        snapshots,
        0,
    )
    if version == 3:
        head += struct.pack(">QQQII", features, 0, 0, 4, 104)
    return (head + tail + backing).ljust(4 << 16, b"\0")


def tar(*members: tuple[str, bytes | str | None], kind: bytes = tarfile.REGTYPE) -> bytes:
    """(name, bytes) is a file, (name, None) a directory, (name, "target") a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.type, info.size = kind, len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Registry:
    """``names`` maps a reference key to the manifest or index it has now; ``blobs`` everything by digest."""

    names: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    seen_credentials: list[Credentials | None] = field(default_factory=list)
    before_copy: Callable[[], object] = lambda: None
    reachable: bool = True

    def add(self, data: bytes) -> str:
        digest = sha256(data)
        self.blobs[digest] = data
        return digest

    def push(self, key: str, *layers: bytes, index: bool = False, compress: bool = True) -> str:
        """Makes ``key`` name an image of these tar layers; returns the digest of its manifest."""
        packed = [gzip.compress(layer, mtime=0) if compress else layer for layer in layers]
        kind = f"{OCI}.layer.v1.tar" + ("+gzip" if compress else "")
        entries: list[Json] = [{"mediaType": kind, "digest": self.add(data), "size": len(data)} for data in packed]
        config = b'{"architecture":"amd64","os":"linux"}'
        manifest: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": {"mediaType": f"{OCI}.config.v1+json", "digest": self.add(config), "size": len(config)},
            "layers": entries,
        }
        digest = self.add(json.encode(manifest))
        self.names[key] = self.push_index({"amd64": digest}) if index else digest
        return digest

    def push_index(self, manifests: Mapping[str, str]) -> str:
        entries: list[Json] = [
            {
                "mediaType": f"{OCI}.manifest.v1+json",
                "digest": digest,
                "size": len(self.blobs.get(digest, b"")),
                "platform": {"os": "linux", "architecture": arch},
            }
            for arch, digest in manifests.items()
        ]
        index: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.index.v1+json",
            "manifests": entries,
        }
        return self.add(json.encode(index))

    def skopeo(
        self,
        reference: Reference,
        directory: Path,
        credentials: Credentials | None,
        *,
        architecture: str = "amd64",
        environ: Mapping[str, str] | None = None,
        field: str = "",
    ) -> FakeSkopeo:
        """In the place of the class ``Skopeo``."""
        self.seen_credentials.append(credentials)
        return FakeSkopeo(self, reference)


class FakeSkopeo:
    def __init__(self, registry: Registry, reference: Reference) -> None:
        self._registry = registry
        self._reference = reference

    async def raw_manifest(self, digest: str) -> bytes:
        self._registry.requests.append(f"inspect {digest or self._reference.key}")
        if not self._registry.reachable:
            raise HostError(f'failed to pull image "{self._reference.text}": connection refused', reason="ErrImagePull")
        return self._registry.blobs[digest or self._registry.names[self._reference.key]]

    async def copy(self, digest: str, target: Path, progress: Callable[[int], None]) -> None:
        self._registry.requests.append(f"copy {digest}")
        waiting = self._registry.before_copy()
        if hasattr(waiting, "__await__"):
            await waiting
        target.mkdir()
        done = 0
        for layer in json.get_list(json.decode_object(self._registry.blobs[digest]), "layers"):
            assert isinstance(layer, dict)
            name = json.get_str(layer, "digest")
            (target / name.removeprefix("sha256:")).write_bytes(self._registry.blobs[name])
            done += len(self._registry.blobs[name])
            progress(done)
