"""NICs that come and go while the guest runs, and their links.

A NIC is a backend (``hostua-NAME``) and a device (``ua-NAME``). Its MAC address and its place are remembered before it
is plugged, and its link before it is switched; what an earlier daemon left half-way is found by these names.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.compile import netdev
from solovirt.compile.configurators import nics
from solovirt.compile.layout import BRIDGE
from solovirt.compile.render import arguments
from solovirt.controllers.vmi.live.concern import Report, Update, beyond_compute
from solovirt.controllers.vmi.live.outcome import RESTART, Outcome, together
from solovirt.controllers.vmi.live.places import NO_SLOT, context, leave_place, take_place
from solovirt.controllers.vmi.pins import random_mac
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.host import network
from solovirt.host.model.bindings import Bindings, NetworkBinding
from solovirt.host.places import sockets_of
from solovirt.hypervisor import netdevs
from solovirt.hypervisor.plugging import Command, Unit, discard, plug, present, unplug
from solovirt.kit.errors import GuestError, HostError, SolovirtError

CONDITION = "NetworkChange"
UP, DOWN = "up", "down"
_DEVICE, _FUNCTION, _BACKEND = "ua-", "ua-sriov-", netdev.netdev_id("")
_VFIO = "vfio-pci"
_TYPES = frozenset({"virtio-net-pci", "e1000e", "igb", *nics.CONVENTIONAL.values()})
_MOMENT = 0.5
"""Seconds until a NIC that found no slot is tried again after another has gone."""


@dataclass(frozen=True, slots=True)
class _Found:
    """``devices``: ids of NICs that are ours -> names of their interfaces; ``others``: every other device;
    ``backends``: names of interfaces that have a host's side."""

    devices: dict[str, str]
    others: frozenset[str]
    backends: frozenset[str]


class NICs:
    name = "nics"

    def part(self, spec: VirtualMachineInstanceSpec) -> object:
        return beyond_compute(spec)

    async def apply(self, update: Update) -> Report:
        found = await _look(update)
        spec = update.vmi.spec
        wanted = {nics.device_name(nic): nic for nic in spec.domain.devices.interfaces if nics.present(nic)}
        outcome = Outcome(update, CONDITION)
        outcome.nics = _links(found, wanted)
        await _clear(update, found, wanted)
        for device, nic in wanted.items():
            if device not in found.devices:
                await _come(update, outcome, nic, found)
        await _switch(update, outcome, wanted)
        going = [device for device in found.devices if device not in wanted]
        await together(*(_go(update, outcome, device, found.devices[device]) for device in going))
        outcome.nics = _links(await _look(update), wanted)
        if NO_SLOT in outcome.reasons and set(going) - {f"{_DEVICE}{name}" for name in outcome.nics}:
            outcome.wait(_MOMENT)
        return outcome.report()


async def _look(update: Update) -> _Found:
    every = await present(update.instance)
    devices: dict[str, str] = {}
    for device, kind in every.items():
        if kind == _VFIO and device.startswith(_FUNCTION):
            devices[device] = device.removeprefix(_FUNCTION)
        elif kind.removesuffix("-transitional").removesuffix("-non") in _TYPES and device.startswith(_DEVICE):
            devices[device] = device.removeprefix(_DEVICE)
    backends = await netdevs.backends(update.instance)
    ours = frozenset(name.removeprefix(_BACKEND) for name in backends if name.startswith(_BACKEND))
    return _Found(devices, frozenset(every) - set(devices), ours)


async def _clear(update: Update, found: _Found, wanted: dict[str, Interface]) -> None:
    """What is left of NICs that went, or never came, while no daemon was there or it was killed."""
    for name in sorted(found.backends - set(found.devices.values())):
        await discard(update.instance, _backend_gone(name))
    for name in update.record.pins.macs:
        device = f"{_DEVICE}{name}"
        if device not in wanted and device not in found.devices and device not in found.others:
            await _forget(update, device, name)


def _links(found: _Found, wanted: dict[str, Interface]) -> dict[str, str]:
    """What is plugged, by name: in the spec's order, then what is on its way out."""
    there = {nic.name: DOWN if nic.state == DOWN else UP for device, nic in wanted.items() if device in found.devices}
    return {**there, **{name: UP for name in found.devices.values() if name not in there}}


async def _come(update: Update, outcome: Outcome, nic: Interface, found: _Found) -> None:
    outcome.begin(nic.name, f"interface {nic.name} is being plugged in")
    try:
        await _plug(update, nic, found)
    except SolovirtError as error:
        if update.instance.has_exited:
            raise
        outcome.failed(nic.name, _about(nic.name, error))
    else:
        place = update.record.pins.pci[nics.device_name(nic)]
        text = f"Interface {nic.name} was plugged in: {place}, {update.record.pins.macs[nic.name]}"
        outcome.done(nic.name, "InterfacePlugged", text)


async def _plug(update: Update, nic: Interface, found: _Found) -> None:
    device = nics.device_name(nic)
    bound = network.bind(update.vmi, directory=str(update.site.paths.sockets(update.uid)))
    _require(update, nic, bound[nic.name], found)
    await _remember_address(update, nic, found)
    place = await take_place(update, device)
    vmi = update.vmi
    bindings = Bindings(
        namespace=vmi.metadata.namespace,
        name=vmi.metadata.name,
        sockets=sockets_of(update.site.paths, update.uid),
        pins=update.record.pins,
        networks=bound,
        annotations=vmi.metadata.annotations,
    )
    ctx = context(update, bindings)
    index = vmi.spec.domain.devices.interfaces.index(nic)
    link = (("set_link", {"name": device, "up": False}),) if nic.state == DOWN else ()
    unit = Unit(
        device=device,
        before=(("netdev_add", arguments(nics.backend(ctx, index))),),
        plug=(("device_add", arguments(nics.device(ctx, index, place))), *link),
        after=_backend_gone(nic.name),
    )
    try:
        await plug(update.instance, unit)
    except GuestError:
        await leave_place(update, device)
        raise


def _require(update: Update, nic: Interface, bound: NetworkBinding, found: _Found) -> None:
    """Raises ``HostError`` for what this host or the machine has not, or has already."""
    if bound.lacks:
        raise HostError(bound.lacks, reason="NetworkMissing", hint=bound.hint)
    if nics.device_name(nic) in found.others:
        text = f"the running machine has another device of the name {nic.name}"
        raise HostError(text, reason="NameTaken", hint="give the interface and its network another name")
    if BRIDGE not in found.others and nics.conventional(context(update), nic):
        text = f"model {nic.model or nics.DEFAULT_MODEL} needs a bridge, without which the machine was started"
        raise HostError(text, reason=RESTART, hint="use virtio, e1000e or igb, or restart the VM")


async def _remember_address(update: Update, nic: Interface, found: _Found) -> None:
    """The manifest's MAC address, else that of an earlier time, else a new one. Raises ``HostError`` where another NIC
    of the machine has it."""

    def change(record: LaunchRecord) -> LaunchRecord:
        known = record.pins.macs
        mac = nic.mac_address.lower().replace("-", ":") or known.get(nic.name) or random_mac()
        holder = next((name for name in found.devices.values() if name != nic.name and known.get(name) == mac), "")
        if holder:
            text = f"MAC address {mac} is that of interface {holder}"
            raise HostError(text, reason="DuplicateMAC", hint="leave macAddress out, and one is made")
        macs = {**known, nic.name: mac}
        return msgspec.structs.replace(record, pins=msgspec.structs.replace(record.pins, macs=macs))

    await update.remember(change)


async def _switch(update: Update, outcome: Outcome, wanted: dict[str, Interface]) -> None:
    """Links as the spec has them. QEMU tells nobody how they are, so they are said again each time."""
    there = await _look(update)
    down = tuple(device for device, nic in wanted.items() if nic.state == DOWN)
    before = set(update.record.links_down)
    await update.remember(lambda record: msgspec.structs.replace(record, links_down=down))
    for device, nic in wanted.items():
        if device not in there.devices or nic.sriov is not None:
            continue
        try:
            await update.instance.qmp("set_link", {"name": device, "up": device not in down})
        except GuestError as error:
            outcome.failed(nic.name, _about(nic.name, error))
            continue
        if (device in down) != (device in before):
            state = DOWN if device in down else UP
            outcome.done(nic.name, "InterfaceLinkChanged", f"The link of interface {nic.name} is {state}")


async def _go(update: Update, outcome: Outcome, device: str, name: str) -> None:
    outcome.begin(name, f"the guest is asked to let interface {name} go")
    try:
        await unplug(update.instance, device, _backend_gone(name))
    except GuestError as error:
        outcome.failed(name, _about(name, error))
        return
    await _forget(update, device, name)
    outcome.done(name, "InterfaceUnplugged", f"Interface {name} was unplugged")


async def _forget(update: Update, device: str, name: str) -> None:
    """Its place is for others; its address is kept for as long as the spec names it."""
    await leave_place(update, device)
    if all(nic.name != name for nic in update.vmi.spec.domain.devices.interfaces):
        await update.remember(lambda record: _without_address(record, name))


def _without_address(record: LaunchRecord, name: str) -> LaunchRecord:
    macs = {known: mac for known, mac in record.pins.macs.items() if known != name}
    return msgspec.structs.replace(record, pins=msgspec.structs.replace(record.pins, macs=macs))


def _backend_gone(name: str) -> tuple[Command, ...]:
    return (("netdev_del", {"id": netdev.netdev_id(name)}),)


def _about(name: str, error: SolovirtError) -> SolovirtError:
    """The same, and which interface it is about."""
    text = error.message if f'"{name}"' in error.message else f"interface {name}: {error.message}"
    return GuestError(text, reason=error.reason, hint=error.hint)
