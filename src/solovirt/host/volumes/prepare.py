"""The volumes of one VMI made ready: every file that QEMU opens is there when ``prepare`` returns.

Everything of a VMI lies in its own directory (``paths.instance(uid)``) and goes with it. A VMI is one start of a
machine, so overlays of images are fresh at every start. ``prepare`` may be called again for the same VMI after a crash:
what is there stays. Knows nothing of the store (see ``Lookup``), QEMU or phases.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.host import access
from solovirt.host.images import credentials, files
from solovirt.host.images.credentials import Credentials
from solovirt.host.images.index import Image
from solovirt.host.images.pull import Progress
from solovirt.host.images.reference import parse
from solovirt.host.images.store import ImageStore
from solovirt.host.model.bindings import DiskImage, KernelBinding, TaggedDevice, VolumeBinding
from solovirt.host.network import hostname
from solovirt.host.volumes import allocation, hostdisk, iso, metrics, overlay, reservations, seeds
from solovirt.host.volumes.claims import Claims, is_thick
from solovirt.host.volumes.cloudinit import Contents, Machine
from solovirt.host.volumes.shown import shown_as_disk
from solovirt.kit import quantity
from solovirt.kit.errors import Cause, HostError, Invalid, NotFound, SolovirtError
from solovirt.kit.paths import Paths

_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_PATIENCE = 0.5
"""Seconds that other volumes get to report their errors too, once one has failed."""


class Lookup(Contents, Protocol):
    """What resolving volumes needs to know of other objects; the controllers implement it over the store."""

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None: ...


class Context(msgspec.Struct, frozen=True):
    """What belongs to a start of a machine and is not in its spec.

    ``uuid`` is the firmware's (pinned), ``instance_type`` the name of what sized the VM, ``devices`` are those with
    tags. ``run_as`` is the (uid, gid) that QEMU gets from a root daemon. ``progress`` is told of image pulls.
    ``prefix`` is the path of the VMI spec for messages.
    """

    lookup: Lookup
    uuid: str = ""
    instance_type: str = ""
    devices: tuple[TaggedDevice, ...] = ()
    run_as: tuple[int, int] | None = None
    progress: Callable[[Progress], None] | None = None
    prefix: str = "spec"


class _ImageUse(msgspec.Struct, frozen=True):
    """One mention of an image in a spec."""

    image: str
    policy: str
    secret: str
    path: str
    field: str


class Volumes:
    """Makes and discards what VMIs need on disk."""

    def __init__(self, paths: Paths, images: ImageStore, claims: Claims) -> None:
        self._paths = paths
        self._images = images
        self._claims = claims

    async def prepare(self, vmi: VirtualMachineInstance, context: Context) -> dict[str, VolumeBinding]:
        """A binding for every volume, by name.

        All volumes at once; raises the error of the one that fails, or for several a ``HostError`` with one cause each
        (the reason is that of the first). Reasons: those of ``ImageStore.ensure``, ``Claims`` and hostDisk, NotFound
        for missing Secrets and ConfigMaps, ``StorageFull``.
        """
        instance = self._instance(vmi.metadata.uid)
        await asyncio.to_thread(reservations.check, vmi.spec, context.prefix)
        await asyncio.to_thread(overlay.make_instance, instance)
        work = [
            self._volume(vmi, volume, f"{context.prefix}.volumes[{number}]", instance, context)
            for number, volume in enumerate(vmi.spec.volumes)
            if shown_as_disk(vmi, volume)
        ]
        bindings = await _all(work)
        matching = {disk.name for disk in vmi.spec.domain.devices.disks if _matches_volume(disk)}
        done = (asyncio.to_thread(_finished, binding, binding.name in matching) for binding in bindings)
        checked = await asyncio.gather(*done)
        if context.run_as is not None:
            await self._give(vmi, instance, checked, context)
        return {binding.name: binding for binding in checked}

    async def prepare_kernel(self, vmi: VirtualMachineInstance, context: Context) -> KernelBinding | None:
        """Kernel and initrd of ``firmware.kernelBoot.container``, if there is one."""
        firmware = vmi.spec.domain.firmware
        boot = firmware.kernel_boot.container if firmware is not None and firmware.kernel_boot is not None else None
        if boot is None:
            return None
        field = f"{context.prefix}.domain.firmware.kernelBoot.container"
        if not boot.kernel_path and not boot.initrd_path:
            raise Invalid(f"{field}: at least one of kernelPath and initrdPath is required", field=field)
        use = _ImageUse(boot.image, boot.image_pull_policy, boot.image_pull_secret, "", f"{field}.image")
        image = await self._image(vmi, use, context)
        kernel = str(image.file(boot.kernel_path, field=f"{field}.kernelPath")) if boot.kernel_path else ""
        initrd = str(image.file(boot.initrd_path, field=f"{field}.initrdPath")) if boot.initrd_path else ""
        if context.run_as is not None:
            await access.grant(context.run_as[0], read=[Path(path) for path in (kernel, initrd) if path])
        return KernelBinding(kernel=kernel, initrd=initrd)

    async def release(self, uid: int, bindings: Mapping[str, VolumeBinding], kernel: KernelBinding | None) -> None:
        """Takes back a machine's access to files that it shared (images, claims, host disks)."""
        shared = [Path(image.path) for binding in bindings.values() for image in _chain(binding.image)]
        if kernel is not None:
            shared += [Path(path) for path in (kernel.kernel, kernel.initrd) if path]
        await access.revoke(uid, shared)

    async def discard(self, uid: str) -> None:
        """Deletes everything of a VMI that has ended; fine when there is nothing."""
        instance = self._instance(uid)

        def remove() -> None:
            with files.telling(instance.parent, f"instance directory {uid}"):
                if instance.is_dir() and not instance.is_symlink():
                    files.remove_tree(instance)

        await asyncio.to_thread(remove)

    def _instance(self, uid: str) -> Path:
        if not _UID.fullmatch(uid):
            raise ValueError(f"{uid!r} is not a uid")
        return self._paths.instance(uid)

    async def _volume(
        self, vmi: VirtualMachineInstance, volume: Volume, field: str, instance: Path, context: Context
    ) -> VolumeBinding:
        sources = volume.sources()
        if len(sources) != 1:
            raise Invalid(f"{field}: must have exactly one source type set", field=field)
        if volume.container_disk is not None:
            image, note = await self._container_disk(vmi, volume, field, instance, context)
        elif volume.empty_disk is not None:
            size = _size(volume.empty_disk.capacity, f"{field}.emptyDisk.capacity")
            image = await overlay.empty(overlay.overlay_path(instance, volume.name), size)
            note = "a new empty disk that lives with the VMI"
        elif volume.persistent_volume_claim is not None:
            claim = volume.persistent_volume_claim
            place = f"{field}.persistentVolumeClaim.claimName"
            image = await self._claim(vmi, claim.claim_name, place, context)
            image = msgspec.structs.replace(image, read_only=bool(claim.read_only))
            note = f"claim {claim.claim_name}"
        elif volume.ephemeral is not None:
            name = volume.ephemeral.persistent_volume_claim.claim_name
            base = await self._claim(vmi, name, f"{field}.ephemeral.persistentVolumeClaim.claimName", context)
            image = await overlay.over_claim(overlay.overlay_path(instance, volume.name), base)
            note = f"a fresh overlay of claim {name}, which stays as it is"
        elif volume.data_volume is not None:
            image = await self._claim(vmi, volume.data_volume.name, f"{field}.dataVolume.name", context)
            note = f"claim {volume.data_volume.name}"
        elif volume.host_disk is not None:
            image = await asyncio.to_thread(hostdisk.prepare, volume.host_disk, f"{field}.hostDisk")
            note = "a file of this host, always raw"
        elif volume.downward_metrics is not None:
            path = overlay.metrics_path(instance, volume.name)
            await asyncio.to_thread(_make_metrics, path)
            image = DiskImage(path=str(path), format="raw", size=metrics.SIZE)
            note = "numbers of this host and this VM, in vhostmd's form"
        else:
            image = await asyncio.to_thread(self._seed, vmi, volume, field, instance, context)
            note = "an ISO 9660 image made for this start"
        return VolumeBinding(name=volume.name, source=sources[0], image=image, note=note)

    async def _container_disk(
        self, vmi: VirtualMachineInstance, volume: Volume, field: str, instance: Path, context: Context
    ) -> tuple[DiskImage, str]:
        source = volume.container_disk
        assert source is not None
        field = f"{field}.containerDisk"
        use = _ImageUse(source.image, source.image_pull_policy, source.image_pull_secret, source.path, f"{field}.image")
        image = await self._image(vmi, use, context)
        base = image.disk(source.path, field=f"{field}.path" if source.path else f"{field}.image")
        disk = await overlay.over(overlay.overlay_path(instance, volume.name), base)
        note = f"a fresh overlay of {image.reference}" + (f" ({image.digest})" if image.digest else "")
        return disk, note

    async def _image(self, vmi: VirtualMachineInstance, use: _ImageUse, context: Context) -> Image:
        try:
            return await self._images.ensure(
                use.image,
                policy=use.policy,
                credentials=self._credentials(vmi, use, context),
                progress=context.progress,
                paths=_paths_of(vmi, use.image),
                field=use.field,
            )
        except HostError as error:
            missing = use.secret and context.lookup.secret(vmi.metadata.namespace, use.secret) is None
            if missing and error.reason == "ErrImagePull":
                error.hint = f'imagePullSecret "{use.secret}" does not exist in namespace {vmi.metadata.namespace}'
            raise

    def _credentials(self, vmi: VirtualMachineInstance, use: _ImageUse, context: Context) -> Credentials | None:
        """A missing secret is no error by itself: the pull is tried without, as the kubelet does."""
        if not use.secret:
            return None
        data = context.lookup.secret(vmi.metadata.namespace, use.secret)
        if data is None:
            return None
        return credentials.from_secret(use.secret, data, parse(use.image, field=use.field).registry)

    async def _claim(self, vmi: VirtualMachineInstance, name: str, field: str, context: Context) -> DiskImage:
        namespace = vmi.metadata.namespace
        claim = context.lookup.claim(namespace, name)
        if claim is None:
            raise NotFound(f'persistentvolumeclaims "{name}" not found', field=field)
        found = await asyncio.to_thread(self._claims.find, namespace, name)
        if found is None:
            raise HostError(f'persistentvolumeclaim "{name}" has no disk yet', reason="VolumeNotFound", field=field)
        return msgspec.structs.replace(found, thick=is_thick(claim))

    def _seed(
        self, vmi: VirtualMachineInstance, volume: Volume, field: str, instance: Path, context: Context
    ) -> DiskImage:
        firmware = vmi.spec.domain.firmware
        uuid = context.uuid or (firmware.uuid if firmware is not None else "")
        machine = Machine(
            vmi.metadata.namespace,
            vmi.metadata.name,
            hostname(vmi),
            uuid,
            instance_type=context.instance_type,
            credentials=vmi.spec.access_credentials,
            devices=context.devices,
        )
        seed = seeds.seed(volume, vmi, machine, context.lookup, field)
        path = overlay.seed_path(instance, volume.name)
        if not path.exists() or not path.stat().st_size:  # emptied by a power failure
            with files.telling(instance, f"making {path.name}"):
                try:
                    iso.write(path, seed.label, seed.files)
                except ValueError as error:
                    raise Invalid(f"{field}: {error}", field=field) from error
        return DiskImage(path=str(path), format="raw", size=path.stat().st_size)

    async def _give(
        self, vmi: VirtualMachineInstance, instance: Path, bindings: list[VolumeBinding], context: Context
    ) -> None:
        assert context.run_as is not None
        uid, gid = context.run_as
        read: list[Path] = []
        write: list[Path] = []
        numbers = {volume.name: number for number, volume in enumerate(vmi.spec.volumes)}
        for binding in bindings:
            path = Path(binding.image.path)
            if binding.source == "hostDisk":
                field = f"{context.prefix}.volumes[{numbers[binding.name]}].hostDisk.path"
                await access.grant(uid, foreign=[path])
                await access.check_reachable(path, uid, write=True, field=field)
                continue
            for image in _chain(binding.image):
                path = Path(image.path)
                if path.parent != instance:
                    (read if image.read_only else write).append(path)
        await access.grant(uid, read=read, write=write)
        await asyncio.to_thread(access.hand_over, instance, uid, gid)


def _matches_volume(disk: Disk) -> bool:
    matched = disk.block_size.match_volume if disk.block_size is not None else None
    return matched is not None and matched.enabled is not False


def _make_metrics(path: Path) -> None:
    with files.telling(path.parent, f"making {path.name}"):
        metrics.create(path, [])


def _finished(binding: VolumeBinding, match_blocks: bool) -> VolumeBinding:
    image = allocation.described(overlay.with_direct_io(binding.image), match_blocks=match_blocks)
    return msgspec.structs.replace(binding, image=image)


def _chain(image: DiskImage) -> list[DiskImage]:
    return [image, *(_chain(image.backing) if image.backing is not None else [])]


def _size(capacity: str | int | float, field: str) -> int:
    try:
        size = quantity.to_bytes(capacity)
    except ValueError as error:
        raise Invalid(f"{field}: {error}", field=field) from error
    if size <= 0:
        raise Invalid(f"{field}: must be greater than 0", field=field)
    return size


def _paths_of(vmi: VirtualMachineInstance, image: str) -> set[str]:
    """All files that the VMI wants of one image, so that its volumes and its kernel share one pull."""
    disks = [volume.container_disk for volume in vmi.spec.volumes if volume.container_disk is not None]
    found = {disk.path for disk in disks if disk.image == image}
    firmware = vmi.spec.domain.firmware
    boot = firmware.kernel_boot.container if firmware is not None and firmware.kernel_boot is not None else None
    if boot is not None and boot.image == image:
        found |= {boot.kernel_path, boot.initrd_path}
    return found - {""}


async def _all(work: list[Coroutine[None, None, VolumeBinding]]) -> list[VolumeBinding]:
    """Every result in order, or every error that shows soon after the first one; the rest is cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    if not tasks:
        return []
    try:
        _, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if waiting:
            await asyncio.wait(waiting, timeout=_PATIENCE)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    failures = [error for task in tasks if not task.cancelled() and (error := task.exception()) is not None]
    if failures:
        raise _combined(failures)
    return [task.result() for task in tasks]


def _combined(failures: list[BaseException]) -> BaseException:
    known = [error for error in failures if isinstance(error, SolovirtError)]
    unknown = [error for error in failures if not isinstance(error, SolovirtError)]
    if unknown or len(known) == 1:
        return (unknown or failures)[0]
    causes = [Cause(error.reason, str(error), error.field) for error in known]
    return HostError(", ".join(str(error) for error in known), reason=known[0].reason, causes=causes)
