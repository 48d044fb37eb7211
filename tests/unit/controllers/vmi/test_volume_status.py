from __future__ import annotations

from solovirt.api.kubevirt.spec.disks import CDRomTarget, Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import ClaimSource, EmptyDiskSource, Volume
from solovirt.api.kubevirt.virtualmachineinstance import (
    ClaimInfo,
    HotplugVolumeStatus,
    VirtualMachineInstance,
    VolumeStatus,
)
from solovirt.controllers.vmi.volume_status import disk_targets, volumes
from tests.unit.controllers.lab import lone_vmi


def hot(name: str) -> Volume:
    return Volume(name=name, persistent_volume_claim=ClaimSource(claim_name=f"{name}-claim", hotpluggable=True))


def virtio(name: str) -> Disk:
    return Disk(name=name, disk=DiskTarget(bus="virtio"))


def vmi(*names: str) -> VirtualMachineInstance:
    made = lone_vmi()
    made.spec.volumes = [Volume(name="root", empty_disk=EmptyDiskSource(capacity="1Gi")), *(hot(n) for n in names)]
    made.spec.domain.devices.disks = [virtio("root"), *(virtio(name) for name in names)]
    return made


def test_disks_get_the_names_that_linux_gives() -> None:
    disks = [virtio(f"v{number}") for number in range(28)]
    disks += [Disk(name="s", disk=DiskTarget(bus="sata")), Disk(name="c", cdrom=CDRomTarget(bus="scsi"))]
    targets = disk_targets(disks)
    assert [targets[name] for name in ("v0", "v25", "v26", "v27", "s", "c")] == [
        "vda",
        "vdz",
        "vdaa",
        "vdab",
        "sda",
        "sdb",
    ]


def test_one_that_was_there_from_the_start() -> None:
    root, data = volumes(vmi("data"), {"root": 7, "data": 9}, {}, {"data-claim": ClaimInfo(claim_name="data-claim")})
    assert root == VolumeStatus(name="root", target="vda", size=7)
    assert data == VolumeStatus(
        name="data",
        target="vdb",
        phase="Ready",
        reason="VolumeReady",
        message="Successfully attach hotplugged volume data to VM",
        size=9,
        hotplug_volume=HotplugVolumeStatus(),
        persistent_volume_claim_info=ClaimInfo(claim_name="data-claim"),
    )


def test_one_that_is_on_its_way_has_no_disk_yet() -> None:
    made = vmi("data")
    waiting = volumes(made, {"root": 7}, {})[1]
    assert (waiting.phase, waiting.target, waiting.size) == ("Pending", "", 0)
    told = volumes(made, {"root": 7}, {"data": VolumeStatus(name="data", phase="Pending", reason="PVCNotBound")})[1]
    assert (told.reason, told.hotplug_volume) == ("PVCNotBound", HotplugVolumeStatus())


def test_a_claim_that_a_filesystem_shares_is_no_disk() -> None:
    made = lone_vmi()
    made.spec.volumes = [hot("shared")]
    (found,) = volumes(made, {}, {})
    assert found == VolumeStatus(name="shared")


def test_names_stay_while_others_come_and_go() -> None:
    made = vmi("a", "b")
    sizes = {"root": 1, "a": 1, "b": 1}
    made.status.volume_status = volumes(made, sizes, {})
    assert [found.target for found in made.status.volume_status] == ["vda", "vdb", "vdc"]
    later = vmi("c", "b", "a")
    later.status = made.status
    assert [found.target for found in volumes(later, {**sizes, "c": 1}, {})] == ["vda", "vdd", "vdc", "vdb"]
    freed = vmi("b", "c")
    freed.status.volume_status = [one for one in made.status.volume_status if one.name != "a"]
    assert [found.target for found in volumes(freed, {**sizes, "c": 1}, {})] == ["vda", "vdc", "vdb"]


def test_one_that_leaves_is_shown_until_it_has_gone() -> None:
    made = vmi("data")
    made.status.volume_status = volumes(made, {"root": 7, "data": 9}, {})
    made.spec.volumes.pop()
    made.spec.domain.devices.disks.pop()
    leaving = volumes(made, {"root": 7, "data": 9}, {})[1]
    assert (leaving.phase, leaving.target, leaving.size) == ("Detaching", "vdb", 9)
    refused = VolumeStatus(name="data", phase="Detaching", reason="UnplugRefused", message="no")
    assert volumes(made, {"root": 7, "data": 9}, {"data": refused})[1].message == "no"
    assert len(volumes(made, {"root": 7}, {})) == 1
