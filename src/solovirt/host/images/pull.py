"""One pull: resolve the digest, fetch through skopeo, verify every byte ourselves, take the wanted files.

Knows the order of these steps and nothing of policies or of who waits.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from solovirt.host.images import files, layers
from solovirt.host.images.credentials import Credentials
from solovirt.host.images.files import SparseWriter
from solovirt.host.images.index import Image, Record, StoredFile
from solovirt.host.images.inspect import inspect
from solovirt.host.images.manifest import Index, LayerDescriptor, Manifest, digest_of, parse
from solovirt.host.images.reference import Reference
from solovirt.host.images.skopeo import Skopeo
from solovirt.host.images.threads import Checkpoint, in_thread
from solovirt.kit import timestamps
from solovirt.kit.errors import HostError

_CHUNK = 1 << 20


class Progress(msgspec.Struct, frozen=True):
    """``phase`` is "resolving", "pulling" or "unpacking"; ``done`` of ``total`` bytes of compressed layers."""

    reference: str
    phase: str
    done: int = 0
    total: int = 0


class Request(msgspec.Struct, frozen=True):
    reference: Reference
    wanted: frozenset[str]
    """Paths beside the files of /disk and /boot."""
    credentials: Credentials | None
    architecture: str
    environ: Mapping[str, str]
    field: str = ""


def is_wanted(path: str, asked: frozenset[str]) -> bool:
    """Files directly in /disk (disks) and /boot (kernels), and those asked for by name."""
    folder = path.rpartition("/")[0]
    return folder in ("/disk", "/boot") or path in asked


class Pull:
    """One run of it, in ``directory``, a private workspace that the caller deletes."""

    def __init__(self, request: Request, directory: Path, report: Callable[[Progress], None]) -> None:
        self._request = request
        self._directory = directory
        self._report = report
        self._total = 0
        self._skopeo = Skopeo(
            request.reference,
            directory,
            request.credentials,
            architecture=request.architecture,
            environ=request.environ,
            field=request.field,
        )

    async def run(self, current: Image | None) -> tuple[Record, dict[str, SparseWriter]] | None:
        """The new record and its files by sha256, ready to be published; ``None`` if ``current`` is up to date.

        Raises ``HostError`` with reason ``ErrImagePull``, ``InvalidImage`` or ``StorageFull``.
        """
        self._tell("resolving")
        digest, manifest_digest, manifest = await self._resolve()
        if current is not None and current.digest == digest and current.holds(self._request.wanted):
            return None
        self._total = manifest.size
        what = f"pulling image {self._request.reference.text}"
        files.require_space(self._directory, 2 * manifest.size, what)
        fetched = self._directory / "layers"
        self._tell("pulling", 0)
        await self._skopeo.copy(manifest_digest, fetched, lambda done: self._tell("pulling", min(done, self._total)))
        self._tell("unpacking", self._total)
        return await in_thread(lambda checkpoint: self._take(fetched, manifest, digest, what, checkpoint))

    def _tell(self, phase: str, done: int = 0) -> None:
        self._report(Progress(self._request.reference.text, phase, done, self._total))

    async def _resolve(self) -> tuple[str, str, Manifest]:
        """(digest of what the reference names, digest of the manifest for this architecture, that manifest)."""
        raw = await self._skopeo.raw_manifest("")
        digest = digest_of(raw)
        asked = self._request.reference.digest
        if asked and asked != digest:
            raise self._error(f"the registry answered with {digest} instead")
        found = parse(raw, self._request.architecture)
        if isinstance(found, Manifest):
            return digest, digest, found
        raw = await self._skopeo.raw_manifest(found.digest)
        if digest_of(raw) != found.digest:
            raise self._error(f"the registry answered with another manifest than {found.digest}")
        inner = parse(raw, self._request.architecture)
        if isinstance(inner, Index):
            raise self._error("an index inside an index is not supported")
        return digest, found.digest, inner

    def _take(
        self, fetched: Path, manifest: Manifest, digest: str, what: str, checkpoint: Checkpoint
    ) -> tuple[Record, dict[str, SparseWriter]]:
        with files.telling(self._directory, what):
            stack = [self._verified(fetched, layer, checkpoint) for layer in manifest.layers]
            wanted = self._request.wanted
            extraction = layers.extract(
                stack,
                lambda path: is_wanted(path, wanted),
                lambda: new_file(self._directory),
                checkpoint=checkpoint,
            )
            stored = tuple(describe(path, writer) for path, writer in sorted(extraction.taken.items()))
        record = Record(
            version=1,
            key=self._request.reference.key,
            reference=self._request.reference.text,
            updated=timestamps.now(),
            digest=digest,
            files=stored,
            names=tuple(sorted(set(extraction.names))),
            names_complete=extraction.names_complete,
            refusals=extraction.refusals,
        )
        return record, {writer.sha256: writer for writer in extraction.taken.values()}

    def _verified(self, fetched: Path, layer: LayerDescriptor, checkpoint: Checkpoint) -> layers.Layer:
        path = fetched / layer.digest.removeprefix("sha256:")
        digest = hashlib.sha256()
        size = 0
        with open(path, "rb") as file:
            while data := file.read(_CHUNK):
                checkpoint()
                digest.update(data)
                size += len(data)
        if size != layer.size or f"sha256:{digest.hexdigest()}" != layer.digest:
            raise self._error(f"layer {layer.digest} arrived damaged")
        return layers.Layer(path, layer.compression)

    def _error(self, why: str) -> HostError:
        text = f'failed to pull image "{self._request.reference.text}": {why}'
        return HostError(text, reason="ErrImagePull", field=self._request.field)


def new_file(directory: Path) -> SparseWriter:
    """A new, empty temporary file in a workspace."""
    return SparseWriter(Path(tempfile.mktemp(prefix="file-", dir=directory)))


def describe(path: str, writer: SparseWriter) -> StoredFile:
    """Inspects what was taken; a file that is no usable disk is kept with the reason, in case it is not used as one."""
    if path.rpartition("/")[0] == "/boot":
        return StoredFile(path, writer.sha256, writer.size)
    try:
        found = inspect(writer.path, name=path)
    except HostError as error:
        return StoredFile(path, writer.sha256, writer.size, refusal=error.message)
    return StoredFile(path, writer.sha256, writer.size, found.format, found.virtual_size)
