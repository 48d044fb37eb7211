"""Filling a claim's disk: blank, or from http(s). An import that was interrupted is simply run again.

download -> inspect -> qemu-img convert into a fresh qcow2 -> grow to the claim -> publish. Until the last step the
claim has no disk. Knows nothing of DataVolume objects' phases. Source of the messages: KubeVirt CDI.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from solovirt.api.cdi.datavolume import DataVolumeSpec, HTTPSource
from solovirt.host.images import files
from solovirt.host.images.inspect import Inspection, inspect
from solovirt.host.images.threads import Checkpoint, in_thread
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes import qemu_img
from solovirt.host.volumes.claims import FORMAT, Claims, storage_request
from solovirt.host.volumes.download import Wire, check_url, download, parse_checksum
from solovirt.kit.errors import HostError, Invalid

_DOWNLOAD_SHARE = 0.9
_SLACK = 64 << 20
"""What a qcow2 may be larger than its virtual size: metadata."""

Report = Callable[[float | None], None]
"""Gets how far an import is, 0..1, or None when the server did not say how much there is."""


def requested_size(spec: DataVolumeSpec) -> int:
    """Bytes of the claim that a DataVolume makes. Raises ``Invalid``."""
    if spec.storage is not None:
        return storage_request(spec.storage.resources.requests, "spec.storage.resources.requests.storage")
    if spec.pvc is not None:
        return storage_request(spec.pvc.resources.requests, "spec.pvc.resources.requests.storage")
    raise Invalid("spec: Required value: one of pvc and storage", field="spec")


class Importer:
    """Fills claims. Imports of one claim must not run side by side; the controllers' queues see to that."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    async def run(self, namespace: str, name: str, spec: DataVolumeSpec, report: Report | None = None) -> DiskImage:
        """Makes the claim's disk as ``spec.source`` says; one that is there already is done.

        Raises ``HostError`` (``ImportFailed``, ``ImportTooLarge``, ``ChecksumMismatch``, ``InvalidImage``,
        ``StorageFull``) or ``Invalid``.
        """
        found = await asyncio.to_thread(self._claims.find, namespace, name)
        if found is not None:
            return found
        size = requested_size(spec)
        if spec.source is None or spec.source.http is None:
            if spec.source is None or spec.source.blank is None:
                raise Invalid("spec.source: Required value: one of blank and http", field="spec.source")
            return await self._claims.create(namespace, name, size)
        return await self._http(namespace, name, spec.source.http, size, report or _silent)

    async def _http(self, namespace: str, name: str, source: HTTPSource, size: int, report: Report) -> DiskImage:
        check_url(source.url, "spec.source.http.url")
        checksum = parse_checksum(source.checksum, "spec.source.http.checksum")
        directory = await self._claims.make_directory(namespace, name)
        raw = directory / f"download{files.PARTIAL}"
        converted = directory / f"converted{files.PARTIAL}"
        what = f"importing {namespace}/{name}"
        loop = asyncio.get_running_loop()
        wire = Wire()

        def arrived(done: int, total: int | None) -> None:
            share = _DOWNLOAD_SHARE * done / total if total else None
            loop.call_soon_threadsafe(report, share)

        def fetch(checkpoint: Checkpoint) -> Inspection:
            _remove(raw, converted)
            with files.telling(directory, what):
                limit = size + size // 16 + _SLACK
                download(
                    source.url,
                    raw,
                    limit=limit,
                    checksum=checksum,
                    checkpoint=checkpoint,
                    progress=arrived,
                    wire=wire,
                )
            return _fitting(raw, size)

        try:
            found = await in_thread(fetch, interrupt=wire.cut)
            share = 1 - _DOWNLOAD_SHARE
            with files.telling(directory, what):
                await qemu_img.convert(
                    raw, found.format, converted, lambda part: report(_DOWNLOAD_SHARE + share * part)
                )
            if found.virtual_size < size:
                await qemu_img.resize(converted, FORMAT, size)
            target = self._claims.disk(namespace, name)
            with files.telling(directory, what):
                await asyncio.to_thread(files.publish, converted, target)
        finally:
            await asyncio.to_thread(_remove, raw, converted)
        report(1.0)
        return DiskImage(path=str(target), format=FORMAT, size=qemu_img.whole_sectors(size))


def _silent(share: float | None) -> None:
    """Nobody asked."""


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _fitting(path: Path, size: int) -> Inspection:
    """The inspected download, if it fits the claim. Message: CDI pkg/image/qemu.go."""
    found = inspect(path, name="from the server")
    if found.virtual_size > qemu_img.whole_sectors(size):
        raise HostError(
            f"virtual image size {found.virtual_size} is larger than the reported available storage {size}. "
            "A larger PVC is required",
            reason="ImportTooLarge",
        )
    os.chmod(path, 0o600)
    return found
