"""What a running machine has of CPU and memory, thrice: what is wanted, what is plugged, what the guest uses.

Must not know HTTP, nor how any of it changes.
"""

from __future__ import annotations

from solovirt.api.quantities import as_bytes
from solovirt.controllers.targets import Targets
from solovirt.hypervisor import cpus, memorydevices
from solovirt.hypervisor.instance import Instance
from solovirt.kit.json import JsonObject


class Sizes:
    """Raises NotFound for an unknown VMI, Conflict when it does not run, GuestError."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    async def read(self, namespace: str, name: str) -> JsonObject:
        """``cpu`` counts vCPUs (``sockets`` those of the spec), ``memory`` bytes. ``guest`` is None where the guest
        has no agent that tells; its memory is counted in the guest's blocks, of 128 MiB and more."""
        vmi, instance = self._targets.running(namespace, name)
        cpu, memory = vmi.spec.domain.cpu, vmi.spec.domain.memory
        counts = [getattr(cpu, key) or 1 for key in ("sockets", "cores", "threads")] if cpu is not None else [1, 1, 1]
        return {
            "cpu": await _cpu(instance, counts),
            "memory": await _memory(instance, as_bytes(memory.guest if memory is not None else None)),
        }


async def _cpu(instance: Instance, counts: list[int]) -> JsonObject:
    sockets, cores, threads = counts
    places, seen = await cpus.places(instance), await cpus.seen(instance)
    return {
        "sockets": sockets,
        "cores": cores,
        "threads": threads,
        "requested": sockets * cores * threads,
        "plugged": sum(bool(place.path) for place in places),
        "most": len(places),
        "guest": sum(one.online for one in seen) if seen is not None else None,
    }


async def _memory(instance: Instance, requested: int | None) -> JsonObject:
    memory, blocks = await memorydevices.read(instance), await memorydevices.blocks(instance)
    return {
        "atBoot": memory.base,
        "requested": memory.rounded(requested) if requested is not None else None,
        "plugged": memory.plugged,
        "virtioMem": memory.region.size if memory.region is not None else None,
        "dimms": [dimm.size for dimm in memory.dimms],
        "guest": min(blocks.online, memory.plugged) if blocks is not None else None,
    }
