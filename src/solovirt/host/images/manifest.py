"""Image manifests and indexes, read strictly: what a registry sends is untrusted until its digest is checked.

Pure. Sources: OCI image-spec manifest.md and image-index.md, Docker image manifest V2 schema 2.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from solovirt.kit import json
from solovirt.kit.errors import HostError

MAX_MANIFEST = 4 << 20
MAX_LAYERS = 128

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMPRESSIONS = {
    "application/vnd.oci.image.layer.v1.tar": "",
    "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
    "application/vnd.docker.image.rootfs.diff.tar": "",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
}


class LayerDescriptor(msgspec.Struct, frozen=True):
    """``digest`` is "sha256:...", ``size`` the bytes of the compressed layer, ``compression`` "", "gzip" or "zstd"."""

    digest: str
    size: int
    compression: str


class Index(msgspec.Struct, frozen=True):
    """A multi-architecture image: ``digest`` is the manifest for the architecture that was asked for."""

    digest: str


class Manifest(msgspec.Struct, frozen=True):
    layers: tuple[LayerDescriptor, ...]

    @property
    def size(self) -> int:
        return sum(layer.size for layer in self.layers)


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _bad(why: str) -> HostError:
    return HostError(f"invalid image manifest: {why}", reason="ErrImagePull")


def parse(raw: bytes, architecture: str) -> Index | Manifest:
    """Raises ``HostError`` for anything that is neither, or that has no linux image for ``architecture``."""
    try:
        value = json.decode_object(raw)
    except ValueError as error:
        raise _bad(f"not a JSON object ({error})") from error
    if "layers" in value and "manifests" in value:
        raise _bad("it is both an index and a manifest")
    if json.get_int(value, "schemaVersion") != 2:
        raise _bad("only schema version 2 is supported; push the image again with a current tool")
    if "manifests" in value:
        return Index(_choose(value, architecture))
    if "layers" in value:
        return Manifest(_layers(value))
    raise _bad("it has neither layers nor manifests")


def _choose(value: json.JsonObject, architecture: str) -> str:
    seen: list[str] = []
    for entry in json.get_list(value, "manifests"):
        if not isinstance(entry, dict):
            raise _bad("an entry of the index is not an object")
        platform = json.get_object(entry, "platform")
        system, arch = json.get_str(platform, "os", "linux"), json.get_str(platform, "architecture")
        if system == "linux" and arch == architecture:
            return _digest(entry)
        seen.append(f"{system[:20]}/{arch[:20]}")
    raise _bad(f"no image for linux/{architecture}; it has {', '.join(seen[:10]) or 'none'}")


def _digest(entry: json.JsonObject) -> str:
    digest = json.get_str(entry, "digest")
    if not _DIGEST.fullmatch(digest):
        raise _bad(f"bad digest {digest[:80]!r}")
    return digest


def _layers(value: json.JsonObject) -> tuple[LayerDescriptor, ...]:
    entries = json.get_list(value, "layers")
    if len(entries) > MAX_LAYERS:
        raise _bad(f"more than {MAX_LAYERS} layers")
    found: list[LayerDescriptor] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise _bad("a layer is not an object")
        media = json.get_str(entry, "mediaType")
        if media not in _COMPRESSIONS:
            raise _bad(f"layers of type {media[:80]!r} are not supported")
        size = json.get_int(entry, "size", -1)
        if size < 0:
            raise _bad("a layer has no size")
        found.append(LayerDescriptor(_digest(entry), size, _COMPRESSIONS[media]))
    return tuple(found)
