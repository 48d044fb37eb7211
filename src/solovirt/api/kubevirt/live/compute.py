"""CPU sockets and guest memory within the headroom that the machine was started with."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.compute import CPU
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.quantities import as_bytes


def take(wanted: VirtualMachineInstanceSpec, merged: VirtualMachineInstanceSpec) -> None:
    _sockets(wanted, merged)
    _memory(wanted, merged)


def keep_headroom(wanted: VirtualMachineInstanceSpec, running: VirtualMachineInstanceSpec) -> None:
    """Before defaults are filled in: room that nobody asked for stays what the machine was started with."""
    now = running.domain
    if now.cpu is not None and now.cpu.max_sockets is not None:
        cpu = wanted.domain.cpu = wanted.domain.cpu or CPU()
        cpu.max_sockets = cpu.max_sockets if cpu.max_sockets is not None else now.cpu.max_sockets
    memory = wanted.domain.memory
    if memory is not None and memory.max_guest is None and now.memory is not None:
        memory.max_guest = now.memory.max_guest


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
