"""Where a new device sits in a machine that runs: a slot that its command line made, that takes devices while the guest
runs, and that nothing has or had promised.

A place is remembered before its device is plugged and forgotten after it has gone, so the record of the launch knows
every device that may be there; others (somebody used QMP by hand) are asked for. Must not know kinds of devices.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from functools import partial

import msgspec

from solovirt.compile import plan
from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import BRIDGE, Endpoint, Place, Slot, parse_pin, placed, slots_of
from solovirt.compile.problems import gather
from solovirt.controllers.vmi.live.concern import Update
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.host.model.bindings import Bindings
from solovirt.host.places import sockets_of
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.plugging import present
from solovirt.kit import json
from solovirt.kit.errors import GuestError, SolovirtError
from solovirt.kit.json import Json, JsonObject, get_str

NO_SLOT = "NoFreeSlot"
_SUFFIXES = ("-non-transitional", "-transitional")
_SCSI = "scsi0"
_ROOT_PORT = "pcie-root-port"


def context(update: Update, bindings: Bindings | None = None) -> Context:
    """What compile describes the new device from. ``bindings`` has what was prepared for it."""
    site, vmi = update.site, update.vmi
    record = update.record
    bare = bindings or Bindings(
        namespace=vmi.metadata.namespace,
        name=vmi.metadata.name,
        sockets=sockets_of(site.paths, update.uid),
        pins=record.pins,
        annotations=vmi.metadata.annotations,
    )
    return Context(vmi.spec, site.facts, bare)


async def take_place(update: Update, device: str) -> Place:
    """The place of a device of the spec, remembered for this machine and for later starts: the one that it was promised
    before, else the first free one.

    Raises ``SolovirtError`` (``NoFreeSlot``, with a hint) when the running machine has none.
    """
    occupied = await _occupied(update.instance)
    chosen: list[Place] = []

    def choose(record: LaunchRecord) -> LaunchRecord:
        place = place_for(context(update), record, device, occupied)
        chosen.append(place)
        pins = msgspec.structs.replace(record.pins, pci={**record.pins.pci, device: place.pin()})
        return msgspec.structs.replace(record, pins=pins)

    await update.remember(choose)
    return chosen[-1]


async def leave_place(update: Update, device: str) -> None:
    """The device has gone, and its place is for others."""

    def forget(record: LaunchRecord) -> LaunchRecord:
        kept = {name: pin for name, pin in record.pins.pci.items() if name != device}
        return msgspec.structs.replace(record, pins=msgspec.structs.replace(record.pins, pci=kept))

    if device in update.record.pins.pci:
        await update.remember(forget)


async def leave_unused(update: Update) -> None:
    """Places of the manifest's devices that are neither in the spec nor in the machine: a daemon died before it forgot
    them."""
    ctx = context(update)
    wanted = {endpoint.device for source in plan.ENDPOINTS for endpoint in source(ctx)}
    candidates = {name for name in update.record.pins.pci if name.startswith(device_id(""))} - wanted
    if candidates:
        for name in sorted(candidates - set(await present(update.instance))):
            await leave_place(update, name)


def place_for(ctx: Context, record: LaunchRecord, device: str, occupied: Mapping[Slot, str]) -> Place:
    """Pure. ``occupied``: slots in which the machine has a device, by its id. Raises as :func:`take_place` does."""
    endpoints = gather(partial(source, ctx) for source in plan.ENDPOINTS)
    endpoint = next((one for one in endpoints if one.device == device), None)
    if endpoint is None:
        raise SolovirtError(f"{device} has no place in the spec", reason=NO_SLOT)
    promised = {found: name for name, pin in record.pins.pci.items() if (found := parse_pin(pin)) is not None}
    taken = {slot for slot, name in {**promised, **occupied}.items() if name != device}
    offered = [slot for slot in slots_of(endpoint, endpoints) if slot in _open(record.argv, endpoint)]
    before = parse_pin(record.pins.pci.get(device, ""))
    for slot in ([before] if before in offered and not endpoint.address else []) + offered:
        if slot is not None and slot not in taken:
            return placed(endpoint, slot)
    raise SolovirtError(_none(endpoint, offered), reason=NO_SLOT, field=endpoint.field, hint=_hint(endpoint))


async def devices_of(instance: Instance, kinds: Collection[str]) -> dict[str, str]:
    """Devices with an id whose type is one of these ("virtio-blk-pci", its transitional variants too): id -> type."""
    found = {device: _base(kind) for device, kind in (await present(instance)).items()}
    return {device: kind for device, kind in found.items() if kind in kinds}


def _base(kind: str) -> str:
    for suffix in _SUFFIXES:
        kind = kind.removesuffix(suffix)
    return kind


def _open(argv: Sequence[str], endpoint: Endpoint) -> set[Slot]:
    """Slots of the endpoint's pool that the machine has and that take devices while it runs."""
    words = itertools.pairwise(argv)
    devices = [found for flag, text in words if flag == "-device" and (found := _json(text))]
    ids = {get_str(device, "id") for device in devices}
    match endpoint.pool:
        case "nic" | "pci":
            ports = (one for one in devices if get_str(one, "driver") == _ROOT_PORT and one.get("hotplug") is not False)
            pins = [get_str(port, "id") for port in ports]
            return {slot for pin in pins if (slot := parse_pin(pin)) is not None}
        case "scsi":
            return set(slots_of(endpoint, [])) if _SCSI in ids else set()
        case "bridge" | "legacy":
            return set(slots_of(endpoint, [])) if BRIDGE in ids else set()
        case "usb":
            return set(slots_of(endpoint, [])) if "usb" in ids else set()
        case _:
            return set()


def _json(text: str) -> JsonObject:
    if not text.startswith("{"):
        return {}
    try:
        return json.decode_object(text.encode())
    except ValueError:
        return {}


def _none(endpoint: Endpoint, offered: Sequence[Slot]) -> str:
    if endpoint.address:
        return f"PCI address {endpoint.address} is no free slot of the running machine"
    if not offered:
        return f"the running machine has no slot for {endpoint.device} that takes devices while the guest runs"
    return f"all slots of the running machine that could take {endpoint.device} are in use"


def _hint(endpoint: Endpoint) -> str:
    if endpoint.pool == "pci" and endpoint.field.startswith("domain.devices.disks"):
        return "add it with bus scsi, unplug another device, or restart the VM: it gets further slots then"
    return "unplug another device, or restart the VM: it gets further slots then"


async def _occupied(instance: Instance) -> dict[Slot, str]:
    """Root ports that have a device, by its id ("" for one without)."""
    try:
        buses = await instance.qmp("query-pci")
    except GuestError:
        return {}
    found: dict[Slot, str] = {}
    for bus in buses if isinstance(buses, list) else []:
        for device in _list(bus, "devices"):
            slot = parse_pin(get_str(device, "qdev_id"))
            bridge = device.get("pci_bridge")
            for below in _list(bridge, "devices") if slot is not None else []:
                assert slot is not None
                found[slot] = get_str(below, "qdev_id")
    return found


def _list(item: Json, key: str) -> list[JsonObject]:
    values = item.get(key) if isinstance(item, dict) else None
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
