"""What of this host is given to one machine at a time: devices, vsock numbers. And what a VMI asks for and lacks here.

What is given is remembered in the launch record; between choosing and that record, here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.vmi.records import MachineRecords
from solovirt.host import devices, network, vsock
from solovirt.host.model.bindings import HostDeviceBinding, NetworkBinding


@dataclass(frozen=True, slots=True)
class Given:
    """``nodes`` are the device files that the machine's user must be able to open."""

    networks: dict[str, NetworkBinding] = field(default_factory=dict)
    host_devices: dict[str, HostDeviceBinding] = field(default_factory=dict)
    vsock_cid: int = 0
    nodes: tuple[Path, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(bound.address for bound in self.host_devices.values() if bound.address)


class HostDeviceGiver:
    def __init__(self, state: Path, records: MachineRecords) -> None:
        self._devices = devices.HostDevices(state)
        self._records = records
        self._given: dict[str, Given] = {}
        self._choosing = asyncio.Lock()

    async def give(self, vmi: VirtualMachineInstance, directory: Path, *, prefix: str = "spec") -> Given:
        """``directory`` is where the VM's sockets are. What was given before is given again.

        Raises ``Invalid`` for wrong networks, ``HostError`` for what this host has not.
        """
        uid = vmi.metadata.uid
        async with self._choosing:
            spec = vmi.spec
            if spec.domain.devices.gpus or spec.domain.devices.host_devices:
                # Sysfs and the user's file: many small reads.
                bound = await asyncio.to_thread(self._devices.resolve, spec, self._taken(uid))
            else:
                bound = {}
            found = self._planned(vmi, directory, bound)
            self._require(vmi, found, prefix)
            self._given[uid] = found
        return found

    def plan(self, vmi: VirtualMachineInstance, directory: Path) -> Given:
        """The same without taking anything, and with sentences in place of what this host has not. Blocks."""
        return self._planned(vmi, directory, self._devices.resolve(vmi.spec, self._taken(vmi.metadata.uid)))

    def _require(self, vmi: VirtualMachineInstance, found: Given, prefix: str) -> None:
        network.require(vmi.spec, found.networks, prefix=prefix)
        devices.require(vmi.spec, found.host_devices, prefix=prefix)
        if found.vsock_cid:
            vsock.require(field=f"{prefix}.domain.devices.autoattachVSOCK")

    def _planned(self, vmi: VirtualMachineInstance, directory: Path, bound: dict[str, HostDeviceBinding]) -> Given:
        uid = vmi.metadata.uid
        networks = network.bind(vmi, directory=str(directory))
        nodes = list(self._devices.nodes(bound.values()))
        cid = 0
        if vmi.spec.domain.devices.autoattach_vsock:
            cid = vsock.allocate(uid or vmi.metadata.name, self._numbers(uid))
            nodes.append(vsock.DEVICE)
        return Given(networks, bound, cid, tuple(nodes))

    def forget(self, uid: str) -> None:
        """Once the machine's launch record is what counts, or nothing of it is left."""
        self._given.pop(uid, None)

    def _taken(self, uid: str) -> set[str]:
        records = (record.devices for other, record in self._records.launches().items() if other != uid)
        return set(_chain(records)) | set(_chain(g.addresses for other, g in self._given.items() if other != uid))

    def _numbers(self, uid: str) -> set[int]:
        records = {record.vsock_cid for other, record in self._records.launches().items() if other != uid}
        return records | {given.vsock_cid for other, given in self._given.items() if other != uid}


def _chain(groups: Iterable[Iterable[str]]) -> Iterable[str]:
    return (item for group in groups for item in group)
