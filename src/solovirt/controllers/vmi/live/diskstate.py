"""The disks that a running machine has, as QEMU says, and which of them are not as the spec wants. Changes nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.compile import blockdev
from solovirt.compile.context import device_id
from solovirt.compile.drives import bus_of, kind_of
from solovirt.controllers.vmi.live.places import devices_of
from solovirt.hypervisor import blocks
from solovirt.hypervisor.blocks import Medium, Node
from solovirt.hypervisor.instance import Instance

PLUGGABLE = frozenset({"virtio-blk-pci", "scsi-hd", "scsi-block"})
DRIVES = frozenset({"ide-cd", "scsi-cd"})
_KINDS = PLUGGABLE | DRIVES | {"ide-hd", "usb-storage"}
_DISK_PREFIX = device_id("")
_NODE = re.compile(r".+-([0-9]+)-(format|storage)")


@dataclass(frozen=True, slots=True)
class Present:
    """``devices``: id -> type of disks and drives; ``media`` by device id."""

    devices: Mapping[str, str]
    nodes: Mapping[str, Node]
    media: Mapping[str, Medium]

    def file(self, name: str) -> str:
        """The path of the volume's own file or device, as far as it is open."""
        node = self.nodes.get(blockdev.storage_name(name))
        return node.file if node is not None else ""

    def size(self, name: str) -> int:
        node = self.nodes.get(blockdev.node_name(name))
        return node.size if node is not None else 0

    def chain(self, name: str) -> list[str]:
        """The volume's nodes, in the order in which they can be removed."""
        pattern = blockdev.chain_pattern(name)
        return removable(node for node in self.nodes if pattern.fullmatch(node))

    def unwanted(self, names: Iterable[str]) -> list[str]:
        """Names of disks that the machine has and the spec has not."""
        wanted = set(names)
        return sorted(
            name
            for device, kind in self.devices.items()
            if kind in PLUGGABLE and device.startswith(_DISK_PREFIX)
            for name in (device.removeprefix(_DISK_PREFIX),)
            if name not in wanted
        )

    def leftovers(self, names: Iterable[str]) -> list[str]:
        """Nodes that belong to none of these volumes: a daemon died before it removed them."""
        patterns = [blockdev.chain_pattern(name) for name in names]
        return removable(
            node
            for node in self.nodes
            if _NODE.fullmatch(node) and not any(pattern.fullmatch(node) for pattern in patterns)
        )


async def look(instance: Instance) -> Present:
    """Raises what the monitor raises."""
    devices, nodes, media = await asyncio.gather(
        devices_of(instance, _KINDS), blocks.nodes(instance), blocks.media(instance)
    )
    return Present(devices, nodes, media)


def is_right(present: Present, disk: Disk, volume: Volume, file: str) -> bool:
    """Whether the machine has this very disk: of its kind, on its bus, on its file (``file``), as writable as wanted.

    A disk whose file is not to be seen counts as right: nothing is taken from a guest because of a doubt.
    """
    if present.devices.get(device_id(disk.name)) not in _drivers(disk):
        return False
    opened = present.file(disk.name)
    return not opened or (
        opened == file and present.nodes[blockdev.storage_name(disk.name)].read_only == _read_only(disk, volume)
    )


def removable(nodes: Iterable[str]) -> list[str]:
    """Upper nodes first: one that another refers to cannot be removed."""

    def height(name: str) -> tuple[int, bool]:
        found = _NODE.fullmatch(name)
        assert found is not None, "only names of chains come here"
        return int(found[1]), found[2] == "storage"

    return sorted(nodes, key=height)


def _drivers(disk: Disk) -> tuple[str, ...]:
    match bus_of(disk), kind_of(disk):
        case "virtio", _:
            return ("virtio-blk-pci",)
        case "scsi", "lun":
            return ("scsi-block", "scsi-hd")
        case _:
            return ("scsi-hd",)


def _read_only(disk: Disk, volume: Volume) -> bool:
    claim, target = volume.persistent_volume_claim, disk.lun or disk.disk
    return bool((claim is not None and claim.read_only) or (target is not None and target.readonly))
