"""Filling a claim's disk: blank, from http(s), a registry or another claim. One that was interrupted is run again.

download -> inspect -> qemu-img convert into a fresh qcow2 -> grow to the claim -> publish. Until the last step the
claim has no disk. Knows nothing of DataVolume objects' phases. Source of the messages: KubeVirt CDI.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from solovirt.api.cdi.datavolume import DataVolumeSpec
from solovirt.api.cdi.sources import ClaimReference, HTTPSource, RegistrySource
from solovirt.host.images import files
from solovirt.host.images.inspect import Inspection, inspect
from solovirt.host.images.store import ImageStore
from solovirt.host.images.threads import Checkpoint, in_thread
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes import qemu_img
from solovirt.host.volumes.claims import FORMAT, Claims, storage_request
from solovirt.host.volumes.download import Wire, check_url, download, parse_checksum
from solovirt.kit.errors import HostError, Invalid

_DOWNLOAD_SHARE = 0.9
_SLACK = 64 << 20
"""What a qcow2 may be larger than its virtual size: metadata."""

DOCKER = "docker://"
_UNSUPPORTED = {
    "s3": "s3 sources are not fetched yet; give an http URL of the object",
    "gcs": "gcs sources are not fetched yet; give an http URL of the object",
    "snapshot": "there are no snapshots of claims yet; clone the claim itself",
    "upload": "uploads are not taken yet; use an http source, or solovirt image import and a containerDisk",
    "imageio": "disks of oVirt (imageio) are not imported; convert them with virt-v2v",
    "vddk": "disks of VMware (vddk) are not imported; convert them with virt-v2v",
}

Report = Callable[[float | None], None]
"""Gets how far an import is, 0..1, or None when the server did not say how much there is."""


def requested_size(spec: DataVolumeSpec) -> int:
    """Bytes of the claim that a DataVolume makes. Raises ``Invalid``."""
    if spec.storage is not None:
        return storage_request(spec.storage.resources.requests, "spec.storage.resources.requests.storage")
    if spec.pvc is not None:
        return storage_request(spec.pvc.resources.requests, "spec.pvc.resources.requests.storage")
    raise Invalid("spec: Required value: one of pvc and storage", field="spec")


def _clone_size(spec: DataVolumeSpec, image: DiskImage) -> int:
    """A clone that names no size has that of its source."""
    if spec.storage is not None and "storage" not in spec.storage.resources.requests:
        return image.size or 0
    return requested_size(spec)


def unsupported(spec: DataVolumeSpec) -> str:
    """What this host lacks for the DataVolume, as one sentence; "" when it can be filled here."""
    source = spec.source
    if source is None:
        return "the DataSource of sourceRef is not there: solovirt keeps no DataSources yet; name the source itself"
    if spec.content_type == "archive":
        return "contentType archive fills a file system, but solovirt's claims are disks"
    for kind, lacking in _UNSUPPORTED.items():
        if kind in source.kinds():
            return lacking
    http, registry = source.http or HTTPSource(url=""), source.registry or RegistrySource(url=DOCKER)
    rules = (
        (
            http.secret_ref or http.cert_config_map or http.secret_extra_headers,
            "http sources with a secretRef, certConfigMap or secretExtraHeaders are not fetched yet",
        ),
        (not registry.url.startswith(DOCKER), "of registry sources only docker:// URLs are fetched yet"),
        (
            registry.secret_ref or registry.cert_config_map,
            "registry sources with a secretRef or certConfigMap are not fetched yet",
        ),
    )
    return next((lacking for asked, lacking in rules if asked), "")


class Importer:
    """Fills claims. Imports of one claim must not run side by side; the controllers' queues see to that."""

    def __init__(self, claims: Claims, images: ImageStore | None = None) -> None:
        self._claims = claims
        self._images = images

    async def run(self, namespace: str, name: str, spec: DataVolumeSpec, report: Report | None = None) -> DiskImage:
        """Makes the claim's disk as ``spec.source`` says; one that is there already is done.

        Raises ``HostError`` (``ImportFailed``, ``ImportTooLarge``, ``ChecksumMismatch``, ``InvalidImage``,
        ``StorageFull``, ``SourceNotSupported``, the reasons of ``ImageStore.ensure``) or ``Invalid``.
        """
        found = await asyncio.to_thread(self._claims.find, namespace, name)
        if found is not None:
            return found
        if lacking := unsupported(spec):
            raise HostError(lacking, reason="SourceNotSupported", field="spec.source")
        source, told, thick = spec.source, report or _silent, spec.preallocation is True
        assert source is not None, "only then it is supported"
        if source.pvc is not None:
            image = await self._cloned(source.pvc)
            return await self._converted(namespace, name, image, _clone_size(spec, image), thick, told)
        size = requested_size(spec)
        if source.blank is not None:
            return await self._claims.create(namespace, name, size, preallocate=thick)
        if source.registry is not None:
            image = await self._pulled(source.registry)
            return await self._converted(namespace, name, image, size, thick, told)
        assert source.http is not None, "only then it is supported"
        return await self._http(namespace, name, source.http, size, thick, told)

    async def _pulled(self, source: RegistrySource) -> DiskImage:
        assert self._images is not None, "only then it is supported"
        field = "spec.source.registry.url"
        reference = source.url.removeprefix(DOCKER)
        image = await self._images.ensure(reference, policy="Always", field=field)
        return image.disk("", field=field)

    async def _cloned(self, source: ClaimReference) -> DiskImage:
        found = await asyncio.to_thread(self._claims.find, source.namespace, source.name)
        if found is None:
            text = f"source PVC {source.namespace}/{source.name} has no disk yet"
            raise HostError(text, reason="VolumeNotFound", field="spec.source.pvc")
        return found

    async def _converted(
        self, namespace: str, name: str, source: DiskImage, size: int, thick: bool, report: Report
    ) -> DiskImage:
        """A copy of an image of this host as the claim's disk."""
        directory = await self._claims.make_directory(namespace, name)
        converted = directory / f"converted{files.PARTIAL}"
        _must_fit(source.size or 0, size)
        try:
            await asyncio.to_thread(_remove, converted)
            with files.telling(directory, f"importing {namespace}/{name}"):
                await qemu_img.convert(Path(source.path), source.format, converted, report, preallocate=thick)
            return await self._publish(namespace, name, converted, source.size or 0, size, thick)
        finally:
            await asyncio.to_thread(_remove, converted)

    async def _publish(
        self, namespace: str, name: str, converted: Path, virtual: int, size: int, thick: bool
    ) -> DiskImage:
        """The last step: grown to the claim's size, under its name."""
        if virtual < size:
            await qemu_img.resize(converted, FORMAT, size, preallocate=thick)
        target = self._claims.disk(namespace, name)
        with files.telling(target.parent, f"importing {namespace}/{name}"):
            await asyncio.to_thread(files.publish, converted, target)
        return DiskImage(path=str(target), format=FORMAT, size=qemu_img.whole_sectors(size))

    async def _http(
        self, namespace: str, name: str, source: HTTPSource, size: int, thick: bool, report: Report
    ) -> DiskImage:
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
                    extra=source.extra_headers,
                    insecure=source.insecure_skip_verify is True,
                )
            return _fitting(raw, size)

        try:
            found = await in_thread(fetch, interrupt=wire.cut)
            share = 1 - _DOWNLOAD_SHARE
            with files.telling(directory, what):
                await qemu_img.convert(
                    raw,
                    found.format,
                    converted,
                    lambda part: report(_DOWNLOAD_SHARE + share * part),
                    preallocate=thick,
                )
            made = await self._publish(namespace, name, converted, found.virtual_size, size, thick)
        finally:
            await asyncio.to_thread(_remove, raw, converted)
        report(1.0)
        return made


def _silent(share: float | None) -> None:
    """Nobody asked."""


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _fitting(path: Path, size: int) -> Inspection:
    """The inspected download, if it fits the claim. Message: CDI pkg/image/qemu.go."""
    found = inspect(path, name="from the server")
    _must_fit(found.virtual_size, size)
    os.chmod(path, 0o600)
    return found


def _must_fit(virtual: int, size: int) -> None:
    if virtual > qemu_img.whole_sectors(size):
        raise HostError(
            f"virtual image size {virtual} is larger than the reported available storage {size}. "
            "A larger PVC is required",
            reason="ImportTooLarge",
        )
