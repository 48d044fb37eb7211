"""Where devices sit: PCIe root ports and the slots of the other buses.

One function, ``allocate``, decides. Explicit addresses come first, then pins of earlier starts, then everything else
takes the lowest free slot, so a device never moves because another one came or went. The order of root ports and the
number of spare ones are KubeVirt's PCI topology v3 (kubevirt docs/pci-topology.md); every port has a fixed slot on
pcie.0, so ports added at the end move nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from solovirt.compile.options import Prop, Reason
from solovirt.compile.problems import invalid, merged
from solovirt.compile.reasons import default, manifest, needs
from solovirt.kit.errors import Cause, Invalid

Pool = Literal["nic", "pci", "bridge", "legacy", "root", "sata", "scsi", "usb"]
"""``bridge`` is for NICs of conventional PCI, ``legacy`` for other devices of it; both sit on one bridge. ``root`` is
for devices that chipsets have built in."""
Bus = Literal["pci", "pcie.0", "pci-bridge", "ide", "scsi0.0", "usb.0"]

Slot = tuple[Bus, int]

MAX_PORTS = 31
"""Highest bus number of KubeVirt's topology v3."""
NIC_PORTS = 4
"""Root ports kept for NICs as soon as there is one."""
SATA_PORTS = 6
SCSI_UNITS = 256
USB_PORTS = 15
BRIDGE = "pci-bridge"
ON_ROOT = "metadata.annotations[kubevirt.io/placePCIDevicesOnRootComplex]"
_GIB = 1024**3
_PIN = re.compile(r"(?:(pci|ide)\.|(pcie\.0|pci-bridge|scsi0\.0|usb\.0)/)([0-9]{1,3})", re.ASCII)
_ADDRESS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])", re.ASCII | re.IGNORECASE)
_FREE_ON_ROOT = range(0x6, 0x1F)
"""Slots of pcie.0 that neither the root ports, the display nor the chipset use."""
_SOUND_SLOT = 0x1B
"""Where an ICH9 chipset has its sound."""


class Endpoint(msgspec.Struct, frozen=True):
    """A device that needs a slot. ``field`` is its manifest path, ``address`` its explicit PCI address.

    ``fixed`` devices are never unplugged: their root port says so to the guest.
    """

    device: str
    pool: Pool
    field: str = ""
    address: str = ""
    fixed: bool = False


class Place(msgspec.Struct, frozen=True):
    """A slot on a bus: root port ``pci.<index>``, slot ``index`` of pcie.0 or the bridge, ``ide.<index>`` and so on."""

    bus: Bus
    index: int
    why: Reason

    def pin(self) -> str:
        """The form that is kept for later starts; ``parse_pin`` reads it."""
        return f"{self.bus}.{self.index}" if self.bus in ("pci", "ide") else f"{self.bus}/{self.index}"

    def props(self) -> tuple[Prop, ...]:
        """The keys of -device that say it."""
        match self.bus:
            case "pci":
                return (Prop("bus", f"pci.{self.index}", self.why), Prop("addr", "0x0", needs("a port has one slot")))
            case "pcie.0" | "pci-bridge":
                return (Prop("bus", self.bus, self.why), Prop("addr", hex(self.index), self.why))
            case "ide":
                return (Prop("bus", f"ide.{self.index}", self.why),)
            case "scsi0.0":
                only = needs("the controller has one channel and one target; disks differ by lun")
                return (
                    Prop("bus", "scsi0.0", self.why),
                    Prop("channel", 0, only),
                    Prop("scsi-id", 0, only),
                    Prop("lun", self.index, self.why),
                )
            case "usb.0":
                return (Prop("bus", "usb.0", self.why), Prop("port", str(self.index), self.why))


class Layout(msgspec.Struct, frozen=True):
    """``ports`` is the number of root ports; ``fixed`` those whose device is never unplugged.

    ``known`` is False before allocation, and after one that failed.
    """

    places: Mapping[str, Place] = {}
    ports: int = 0
    fixed: frozenset[int] = frozenset()
    known: bool = False

    def place(self, device: str) -> Place:
        """Where a device sits. After a failed allocation raises an ``Invalid`` without causes: they are known already,
        and the other errors of the manifest are still to be found."""
        if not self.known:
            raise Invalid("no slots could be given")
        return self.places[device]

    def pins(self) -> dict[str, str]:
        return {device: place.pin() for device, place in sorted(self.places.items())}


def allocate(endpoints: Sequence[Endpoint], pins: Mapping[str, str], memory: int, *, on_root: bool = False) -> Layout:
    """A slot for every endpoint; ``memory`` (bytes) decides how many spare ports there are. ``on_root`` takes slots of
    pcie.0 before root ports, as the annotation kubevirt.io/placePCIDevicesOnRootComplex asks.

    Raises ``Invalid`` with all of: a malformed or taken ``pciAddress``, a full bus, two devices of one name.
    """
    nics = sum(endpoint.pool in ("nic", "bridge") for endpoint in endpoints)
    first = _first_port(nics)
    table = _Table(first, on_root)
    _distinct(endpoints, table)
    for endpoint in endpoints:
        if endpoint.address:
            table.place_at_address(endpoint)
    for endpoint in endpoints:
        if endpoint.device in pins and not endpoint.address:
            table.place_at_pin(endpoint, pins[endpoint.device])
    for endpoint in endpoints:
        if not endpoint.address and endpoint.device not in table.places:
            table.place_anywhere(endpoint)
    if table.causes:
        raise merged(table.causes)
    used = {place.index for place in table.places.values() if place.bus == "pci"}
    return Layout(
        known=True,
        places=table.places,
        ports=_port_count(used, first if nics else 1, _placeholders(used, nics, first), memory),
        fixed=frozenset(
            table.places[e.device].index for e in endpoints if e.fixed and table.places[e.device].bus == "pci"
        ),
    )


def slots_of(endpoint: Endpoint, endpoints: Sequence[Endpoint]) -> list[Slot]:
    """Where a further device may sit beside all ``endpoints``, best first; whether the machine has these slots and they
    are free is the caller's to know. Raises ``Invalid`` for a malformed ``pciAddress``."""
    if endpoint.address:
        return [_parse_address(endpoint)]
    return _slots(endpoint.pool, _first_port(sum(one.pool in ("nic", "bridge") for one in endpoints)))


def placed(endpoint: Endpoint, slot: Slot) -> Place:
    """The device in a slot that :func:`slots_of` offered."""
    path = f"{endpoint.field}.pciAddress"
    why = manifest(path, f"PCI address {endpoint.address}") if endpoint.address else needs(_WHY_THERE[endpoint.pool])
    return Place(*slot, why)


def _first_port(nics: int) -> int:
    """The root port after those for NICs."""
    return max(nics, NIC_PORTS) + 1 if nics else 1


def _placeholders(used: set[int], nics: int, first: int) -> int:
    """Ports for NICs that are to come: where the first start had no NIC, other devices may have them."""
    return min(max(0, NIC_PORTS - nics), len(set(range(1, first)) - used)) if nics else 0


def _port_count(used: set[int], first: int, placeholders: int, memory: int) -> int:
    spare = max(16 - len(used), 6) if memory > 2 * _GIB else max(8 - len(used), 3)
    highest = max({first - 1, *used})
    return min(MAX_PORTS, highest + max(0, spare - placeholders))


def _distinct(endpoints: Sequence[Endpoint], table: _Table) -> None:
    seen: dict[str, str] = {}
    for endpoint in endpoints:
        if endpoint.device in seen:
            text = f"the name is taken by {seen[endpoint.device]}: disks, interfaces and inputs share one set of names"
            table.refuse(invalid(endpoint.field, text, reason="FieldValueDuplicate"))
        seen.setdefault(endpoint.device, endpoint.field)


class _Table:
    """The slots while they are being filled."""

    def __init__(self, first: int, on_root: bool) -> None:
        self.first = first
        self.on_root = on_root
        self.places: dict[str, Place] = {}
        self.causes: list[Cause] = []
        self._taken: dict[tuple[Bus, int], Endpoint] = {}

    def refuse(self, error: Invalid) -> None:
        self.causes.extend(error.causes)

    def place_at_address(self, endpoint: Endpoint) -> None:
        try:
            bus, index = _parse_address(endpoint)
        except Invalid as error:
            self.refuse(error)
            return
        path = f"{endpoint.field}.pciAddress"
        if (bus, index) in self._taken:
            self._refuse_taken(endpoint, path, self._taken[bus, index])
            return
        self._put(endpoint, bus, index, manifest(path, f"PCI address {endpoint.address}"))

    def place_at_pin(self, endpoint: Endpoint, pin: str) -> None:
        """A pin of another kind of bus (the disk's bus was changed) does not count."""
        found = parse_pin(pin)
        if found is None or not _fits(endpoint.pool, *found):
            return
        if found in self._taken:
            other = self._taken[found]
            if other.address:
                self._refuse_taken(other, f"{other.field}.pciAddress", endpoint)
            return
        self._put(endpoint, *found, default("kept since the VM's first start, so that the guest finds it again"))

    def place_anywhere(self, endpoint: Endpoint) -> None:
        for bus, index in self._offered(endpoint.pool):
            if (bus, index) not in self._taken:
                why = needs(_WHY_THERE[endpoint.pool])
                if self.on_root and bus == "pcie.0":
                    why = manifest(ON_ROOT, "beside the chipset, without a root port")
                self._put(endpoint, bus, index, why)
                return
        self.refuse(invalid(endpoint.field, _FULL[endpoint.pool], hint=_FULL_HINT.get(endpoint.pool, "")))

    def _offered(self, pool: Pool) -> list[tuple[Bus, int]]:
        root: list[tuple[Bus, int]] = [("pcie.0", n) for n in _FREE_ON_ROOT]
        return (root if self.on_root and pool in ("nic", "pci") else []) + _slots(pool, self.first)

    def _put(self, endpoint: Endpoint, bus: Bus, index: int, why: Reason) -> None:
        self.places[endpoint.device] = Place(bus, index, why)
        self._taken[bus, index] = endpoint

    def _refuse_taken(self, explicit: Endpoint, path: str, holder: Endpoint) -> None:
        who = holder.field or holder.device
        text = f"PCI address {explicit.address} is already used by {who}"
        self.refuse(invalid(path, text, reason="FieldValueDuplicate", hint="choose another address or leave it out"))


def _slots(pool: Pool, first: int) -> list[tuple[Bus, int]]:
    """A pool's slots, in the order in which they are given out."""
    if pool == "pci":
        return [("pci", n) for n in (*range(first, MAX_PORTS + 1), *range(1, first))]
    bus, numbers = _NUMBERS[pool]
    return [(bus, n) for n in numbers]


_NUMBERS: dict[Pool, tuple[Bus, range]] = {
    "nic": ("pci", range(1, MAX_PORTS + 1)),
    "bridge": ("pci-bridge", range(1, 32)),
    "legacy": ("pci-bridge", range(1, 32)),
    "root": ("pcie.0", range(_SOUND_SLOT, _FREE_ON_ROOT.start - 1, -1)),
    "sata": ("ide", range(SATA_PORTS)),
    "scsi": ("scsi0.0", range(SCSI_UNITS)),
    "usb": ("usb.0", range(1, USB_PORTS + 1)),
}


def _fits(pool: Pool, bus: Bus, index: int) -> bool:
    if bus == "pcie.0":
        return pool in ("nic", "pci", "root") and index in _FREE_ON_ROOT
    return (bus, index) in _slots(pool, 1)


_WHY_THERE: dict[Pool, str] = {
    "nic": "NICs come first (KubeVirt's PCI topology v3)",
    "pci": "first free root port after those for NICs (KubeVirt's PCI topology v3)",
    "bridge": "first free slot of the bridge for conventional PCI devices",
    "legacy": "first free slot of the bridge for conventional PCI devices",
    "root": "built into the chipset, as far as the guest sees; the first is where ICH9 has its sound",
    "sata": "first free port of the chipset's SATA controller",
    "scsi": "first free unit of the SCSI controller",
    "usb": "first free port of the USB controller",
}
_FULL: dict[Pool, str] = {
    "nic": f"more devices than the {MAX_PORTS} PCIe root ports",
    "pci": f"more devices than the {MAX_PORTS} PCIe root ports",
    "bridge": "more conventional PCI devices than the bridge has slots",
    "legacy": "more conventional PCI devices than the bridge has slots",
    "root": "more devices than the root complex has slots",
    "sata": f"the machine has {SATA_PORTS} SATA ports, all in use",
    "scsi": f"more than {SCSI_UNITS} SCSI disks",
    "usb": f"more than {USB_PORTS} USB devices",
}
_FULL_HINT: dict[Pool, str] = {"sata": "use bus virtio or scsi", "pci": "use bus scsi for disks"}


def parse_pin(text: str) -> Slot | None:
    """What :meth:`Place.pin` wrote; None for anything else."""
    match = _PIN.fullmatch(text)
    if match is None:
        return None
    buses: Iterable[Bus] = ("pci", "pcie.0", "pci-bridge", "ide", "scsi0.0", "usb.0")
    named = match[1] or match[2]
    return next((bus, int(match[3])) for bus in buses if bus == named)


def _parse_address(endpoint: Endpoint) -> tuple[Bus, int]:
    """``dddd:bb:ss.f``: bus bb > 0 is the root port of that number, bus 0 is pcie.0 itself."""
    path = f"{endpoint.field}.pciAddress"
    match = _ADDRESS.fullmatch(endpoint.address)
    if match is None:
        raise invalid(path, f'"{endpoint.address}" is not a PCI address', hint="for example 0000:07:00.0")
    if endpoint.pool not in ("nic", "pci"):
        raise invalid(path, "only virtio disks and PCI Express NICs take a PCI address")
    domain, bus, slot, function = (int(part, 16) for part in match.groups())
    if domain or function:
        raise invalid(path, f"{endpoint.address}: the PCI domain and the function must be 0")
    if bus == 0 and slot in _FREE_ON_ROOT:
        return "pcie.0", slot
    if bus == 0:
        raise invalid(path, f"slot {slot:#x} of bus 0 belongs to the chipset or a root port", hint="use 0x06 to 0x1e")
    if bus > MAX_PORTS or slot:
        raise invalid(path, f"{endpoint.address}: buses are 00 to {MAX_PORTS:02x}, and a root port has only slot 00")
    return "pci", bus
