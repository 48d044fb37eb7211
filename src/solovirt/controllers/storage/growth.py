"""Disks of claims that grow while a machine has them open: QEMU does it, and tells the guest.

No other program may touch such a file. Must not know the objects' statuses but those of the VMIs' machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from solovirt.api import registry
from solovirt.api.kubevirt.live.storage import claim_name
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.compile.blockdev import node_name
from solovirt.controllers.site import Key, Site
from solovirt.controllers.vmi.records import MachineRecords
from solovirt.hypervisor import blocks

VMIS = registry.VIRTUAL_MACHINE_INSTANCES


class Growth:
    """``wake`` has a VMI looked at: a size in its status has changed."""

    def __init__(self, site: Site, records: MachineRecords, wake: Callable[[Key], None]) -> None:
        self._site = site
        self._records = records
        self._wake = wake

    async def grow(self, key: Key, users: list[str], size: int) -> bool:
        """Makes the claim's disk larger in the one machine that has it; False when that cannot be now.

        Raises ``GuestError`` with QEMU's refusal (no space is left).
        """
        if len(users) != 1:
            return False
        vmi = self._site.objects.find(VMIS, key[0], users[0])
        instance = self._site.hypervisor.get(vmi.metadata.uid) if vmi is not None else None
        if vmi is None or instance is None or instance.has_exited:
            return False
        known = await blocks.nodes(instance)
        for volume in _on_claim(vmi, key[1]):
            node = known.get(node_name(volume))
            if node is None or node.read_only:
                return False
            if node.size < size:
                await blocks.resize(instance, node.name, size)
            return True
        return False

    async def tell(self, key: Key, size: int) -> None:
        """Machines that have the claim's disk show its size from now on."""
        for vmi in self._site.objects.list(VMIS, key[0]).items:
            uid = vmi.metadata.uid
            for volume in _on_claim(vmi, key[1]):
                record = self._records.launch(uid)
                if record is not None and record.sizes.get(volume, size) != size:
                    sizes = {**record.sizes, volume: size}
                    await self._records.put_launch(uid, msgspec.structs.replace(record, sizes=sizes))
                    self._wake((vmi.metadata.namespace, vmi.metadata.name))


def _on_claim(vmi: VirtualMachineInstance, claim: str) -> Iterator[str]:
    """Volumes that are the claim itself; an overlay over it does not grow with it."""
    return (volume.name for volume in vmi.spec.volumes if claim_name(volume) == claim)
