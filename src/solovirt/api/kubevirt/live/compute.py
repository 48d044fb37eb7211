"""CPU sockets and guest memory within the headroom that the machine was started with."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.quantities import as_bytes


def take(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    _sockets(wanted, merged)
    _memory(wanted, merged)


def keep_headroom(
    given: VirtualMachineInstanceSpec, wanted: VirtualMachineInstanceSpec, running: VirtualMachineInstanceSpec
) -> None:
    """Room that nobody asked for stays what the machine was started with: ``given`` is the spec before defaults were
    filled in, ``wanted`` after it."""
    asked, new, now = given.domain, wanted.domain, running.domain
    if new.cpu is not None and now.cpu is not None and (asked.cpu is None or asked.cpu.max_sockets is None):
        new.cpu.max_sockets = now.cpu.max_sockets
    if new.memory is not None and now.memory is not None and (asked.memory is None or asked.memory.max_guest is None):
        new.memory.max_guest = now.memory.max_guest


def keep_boot_memory(
    merged: VirtualMachineInstanceSpec, running: VirtualMachineInstanceSpec, at_boot: Quantity | None
) -> None:
    """Memory of the start cannot be unplugged: a guest that shall have less of it needs a restart."""
    new, old, least = merged.domain.memory, running.domain.memory, as_bytes(at_boot)
    if new is None or old is None or least is None:
        return
    size = as_bytes(new.guest)
    if size is not None and size < least and new.guest != old.guest:
        new.guest = old.guest


def _sockets(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    new, old = wanted.domain.cpu, merged.domain.cpu
    if new is None or old is None or new.sockets is None or old.max_sockets is None:
        return
    if old.dedicated_cpu_placement or (new.cores, new.threads) != (old.cores, old.threads):
        return
    if 1 <= new.sockets <= old.max_sockets:
        old.sockets = new.sockets


def _memory(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    new, old = wanted.domain.memory, merged.domain.memory
    if new is None or old is None or old.max_guest is None:
        return
    size, most = as_bytes(new.guest), as_bytes(old.max_guest)
    if size is not None and most is not None and 0 < size <= most:
        old.guest = new.guest
