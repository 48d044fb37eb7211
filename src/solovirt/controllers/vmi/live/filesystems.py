"""Shared directories that come and go while the guest runs: virtiofsd, a chardev that leads to it, and the device.

Their ids end with the filesystem's name, by which what an earlier daemon left half-way is found. That the guest's
memory can be shared was decided at its start.
"""

from __future__ import annotations

from dataclasses import dataclass

from solovirt.api.kubevirt.spec.devices import Filesystem
from solovirt.compile.configurators import filesystems
from solovirt.compile.options import JsonValue
from solovirt.compile.render import arguments
from solovirt.controllers.vmi import pins, programs
from solovirt.controllers.vmi.live.concern import Update
from solovirt.controllers.vmi.live.outcome import RESTART, Outcome, together
from solovirt.controllers.vmi.live.places import context, leave_place, take_place
from solovirt.controllers.vmi.lookup import StoreLookup, missing
from solovirt.host import equipment
from solovirt.host.model.bindings import Bindings, FilesystemBinding
from solovirt.host.places import sockets_of
from solovirt.hypervisor.plugging import Command, Unit, discard, plug, present, unplug
from solovirt.kit.errors import GuestError, HostError, SolovirtError
from solovirt.kit.json import JsonObject, clone, get_str
from solovirt.kit.offload import to_thread

_HELPER = programs.sharing_name("")


@dataclass(frozen=True, slots=True)
class _Found:
    """Names of filesystems: those that the guest has, and those of which only something beside the device is there."""

    devices: frozenset[str]
    left: frozenset[str]


async def apply(update: Update, outcome: Outcome) -> None:
    """Makes the machine's filesystems those of the spec."""
    found = await _look(update)
    wanted = {one.name: one for one in update.vmi.spec.domain.devices.filesystems}
    for name in sorted(found.left):
        await _clear(update, name)
    for name, filesystem in wanted.items():
        if name not in found.devices:
            await _come(update, outcome, filesystem)
    await together(*(_go(update, outcome, name) for name in sorted(found.devices - set(wanted))))


async def _look(update: Update) -> _Found:
    instance = update.instance
    begin = filesystems.DEVICE
    devices = {
        device.removeprefix(begin)
        for device, kind in (await present(instance)).items()
        if kind == filesystems.DRIVER and device.startswith(begin)
    }
    chardevs = await instance.qmp("query-chardev")
    labels = [get_str(one, "label") for one in chardevs if isinstance(one, dict)] if isinstance(chardevs, list) else []
    left = {label.removeprefix(filesystems.CHARDEV) for label in labels if label.startswith(filesystems.CHARDEV)}
    helpers = update.site.hypervisor.beside(update.uid).names()
    left |= {name.removeprefix(_HELPER) for name in helpers if name.startswith(_HELPER)}
    left |= {device.removeprefix(begin) for device in update.record.pins.pci if device.startswith(begin)}
    return _Found(frozenset(devices), frozenset(left - devices))


async def _clear(update: Update, name: str) -> None:
    """What is beside a device that is not there. Its place is kept while the spec has it."""
    await discard(update.instance, _chardev_gone(name))
    await update.site.hypervisor.beside(update.uid).remove(programs.sharing_name(name))
    if all(one.name != name for one in update.vmi.spec.domain.devices.filesystems):
        await leave_place(update, f"{filesystems.DEVICE}{name}")
        await to_thread(equipment.unshare, update.vmi, name, update.site.paths, pins.key(update.vmi))


async def _come(update: Update, outcome: Outcome, filesystem: Filesystem) -> None:
    name = filesystem.name
    outcome.begin(name, f"filesystem {name} is being plugged in")
    try:
        await _plug(update, filesystem)
    except SolovirtError as error:
        if update.instance.has_exited:
            raise
        text = f"filesystem {name}: {error.message}"
        outcome.failed(name, GuestError(text, reason=error.reason, hint=error.hint))
    else:
        outcome.done(name, "FilesystemPlugged", f"Filesystem {name} was plugged in: mount -t virtiofs {name} DIRECTORY")


async def _plug(update: Update, filesystem: Filesystem) -> None:
    site, vmi, name = update.site, update.vmi, filesystem.name
    await _require(update, name)
    key, record = pins.key(vmi), update.record
    shared = await to_thread(equipment.share, vmi, name, site.paths, key, record.pins, StoreLookup(site.objects))
    helper = programs.sharing(site.facts, shared)
    device = filesystems.device_name(filesystem)
    place = await take_place(update, device)
    ctx = context(update, _bindings(update, shared))
    _, described = filesystems.described(ctx, vmi.spec.domain.devices.filesystems.index(filesystem), place)
    assert isinstance(described.value, JsonValue)
    unit = Unit(
        device=device,
        before=(_chardev(name, shared.socket),),
        plug=(("device_add", arguments(described.value)),),
        after=_chardev_gone(name),
    )
    beside = site.hypervisor.beside(update.uid)
    try:
        beside.add(helper, record.run_as)
        await plug(update.instance, unit)
    except SolovirtError as error:
        failure = await beside.failure() if isinstance(error, GuestError) else None
        await beside.remove(helper.name)
        if isinstance(error, GuestError | HostError):
            await leave_place(update, device)
        raise failure or error from None
    finally:
        beside.hide()


async def _require(update: Update, name: str) -> None:
    """Raises ``HostError`` for memory that virtiofsd cannot map, and while what the volume refers to is not there."""
    memory = await update.instance.qmp("query-memdev")
    if not all(
        isinstance(one, dict) and one.get("share") is True for one in (memory if isinstance(memory, list) else [])
    ):
        text = "the guest's memory cannot be shared: the machine was started without any filesystem"
        raise HostError(text, reason=RESTART, hint="restart the VM")
    alone = clone(update.vmi)
    alone.spec.volumes = [volume for volume in alone.spec.volumes if volume.name == name]
    alone.spec.access_credentials = []
    for problem in missing(alone, update.site.objects)[:1]:
        raise HostError(problem.message, reason=problem.reason)


def _bindings(update: Update, shared: FilesystemBinding) -> Bindings:
    vmi = update.vmi
    return Bindings(
        namespace=vmi.metadata.namespace,
        name=vmi.metadata.name,
        sockets=sockets_of(update.site.paths, update.uid),
        pins=update.record.pins,
        filesystems={shared.name: shared},
        annotations=vmi.metadata.annotations,
    )


async def _go(update: Update, outcome: Outcome, name: str) -> None:
    outcome.begin(name, f"the guest is asked to let filesystem {name} go")
    try:
        await unplug(update.instance, f"{filesystems.DEVICE}{name}")
    except GuestError as error:
        text = f"filesystem {name}: {error.message}"
        outcome.failed(name, GuestError(text, reason=error.reason, hint=error.hint))
        return
    await _clear(update, name)
    outcome.done(name, "FilesystemUnplugged", f"Filesystem {name} was unplugged")


def _chardev(name: str, path: str) -> Command:
    """As -chardev makes it (``compile.chardev.connect``), in the words of QMP."""
    address: JsonObject = {"type": "unix", "data": {"path": path}}
    backend: JsonObject = {"type": "socket", "data": {"addr": address, "server": False}}
    return ("chardev-add", {"id": filesystems.chardev_id(name), "backend": backend})


def _chardev_gone(name: str) -> tuple[Command, ...]:
    return (("chardev-remove", {"id": filesystems.chardev_id(name)}),)
