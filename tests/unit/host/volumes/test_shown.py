"""Which volumes are disks."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.devices import Filesystem, VirtioFS
from solovirt.api.kubevirt.spec.sources import ContainerPathSource, EmptyDiskSource, MemoryDumpSource, Volume
from solovirt.host.volumes.shown import shown_as_disk
from tests.unit.host.volumes.fakes import vmi


def test_directories_and_dumps_are_no_disks() -> None:
    disk = Volume(name="a", empty_disk=EmptyDiskSource(capacity=1))
    shared = Volume(name="b", empty_disk=EmptyDiskSource(capacity=1))
    path = Volume(name="c", container_path=ContainerPathSource(path="/x"))
    dump = Volume(name="d", memory_dump=MemoryDumpSource(claim_name="c"))
    machine = vmi(disk, shared, path, dump)
    machine.spec.domain.devices.filesystems = [Filesystem(name="b", virtiofs=VirtioFS())]
    assert [volume.name for volume in machine.spec.volumes if shown_as_disk(machine, volume)] == ["a"]
