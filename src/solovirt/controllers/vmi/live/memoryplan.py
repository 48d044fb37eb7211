"""How a machine gets from the memory that it has to the memory that it shall have: virtio-mem, and DIMMs for the rest.

Pure. Sizes are in bytes; ``extra`` is what a guest has beyond what it was started with.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from solovirt.api.kubevirt.defaulting.compute import DIMM_SLOTS
from solovirt.hypervisor.memorydevices import Dimm, Memory
from solovirt.hypervisor.plugging import REFUSED
from solovirt.kit.errors import GuestError
from solovirt.kit.quantity import format_bytes

STEP = 128 * 1024**2
"""Linux on x86 takes memory in whole blocks of this size; QEMU would plug a DIMM of any."""
_MANY = 12
"""DIMMs up to which every choice is looked at; beyond, single ones and pairs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``region`` is the size that the virtio-mem device shall have; None leaves it alone. ``plug`` are sizes of new
    DIMMs."""

    region: int | None = None
    plug: tuple[int, ...] = ()
    unplug: tuple[Dimm, ...] = ()

    @property
    def empty(self) -> bool:
        return self == Plan()


def plan(memory: Memory, extra: int, *, virtio: bool, slots: bool) -> Plan:
    """``virtio``: the guest has a driver for the virtio-mem device; ``slots``: the machine takes DIMMs.

    Raises ``GuestError`` (UnplugRefused) when there is no way.
    """
    region = memory.region
    dimms = sum(dimm.size for dimm in memory.dimms)
    have = dimms + (region.size if region is not None else 0)
    if extra < have:
        return _shrink(memory, have - extra)
    if extra == have:
        # What an earlier attempt asked for and did not get must not come later by itself.
        return Plan(region.size) if region is not None and region.requested != region.size else Plan()
    more = extra - have
    room = region.maximum - region.size if region is not None and virtio else 0
    by_region = min(more, room)
    grown = region.size + by_region if region is not None and by_region else None
    return Plan(grown, _sizes(more - by_region, DIMM_SLOTS - len(memory.dimms) if slots else 0))


def _sizes(amount: int, slots: int) -> tuple[int, ...]:
    """As powers of two, so that it can go again in parts; one DIMM where slots are few."""
    if not amount:
        return ()
    if not slots:
        text = f"{format_bytes(amount)} cannot be added: the guest has no driver for virtio-mem"
        raise GuestError(f"{text}, and the machine no slot for a DIMM", reason=REFUSED)
    if amount % STEP:
        text = f"{format_bytes(amount)} cannot be added: without a driver for virtio-mem memory comes as DIMMs"
        raise GuestError(f"{text}, in steps of {format_bytes(STEP)}", reason=REFUSED)
    steps = amount // STEP
    parts = tuple(STEP << bit for bit in range(steps.bit_length() - 1, -1, -1) if steps >> bit & 1)
    return parts if len(parts) <= slots else (amount,)


def _shrink(memory: Memory, less: int) -> Plan:
    """As much as can be from the virtio-mem device, and as few DIMMs as do it."""
    region = memory.region
    size = region.size if region is not None else 0
    most = len(memory.dimms) if len(memory.dimms) <= _MANY else 2
    for count in range(most + 1):
        for chosen in combinations(memory.dimms, count):
            rest = less - sum(dimm.size for dimm in chosen)
            if 0 <= rest <= size:
                return Plan(size - rest if rest else None, unplug=chosen)
    sizes = ", ".join(format_bytes(dimm.size) for dimm in memory.dimms)
    text = f"{format_bytes(less)} cannot be taken away: DIMMs go as a whole, and there are {sizes or 'none'}"
    raise GuestError(text, reason=REFUSED)
