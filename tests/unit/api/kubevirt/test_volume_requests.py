from __future__ import annotations

import msgspec
import pytest
import yaml

from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import ClaimSource, DataVolumeSource
from solovirt.api.kubevirt.volume_requests import (
    AddVolumeOptions,
    HotplugVolumeSource,
    Refused,
    add,
    change_medium,
    check_add,
    remove,
)
from solovirt.kit.errors import BadRequest, Invalid

CLAIM = HotplugVolumeSource(persistent_volume_claim=ClaimSource(claim_name="c"))
DATA = HotplugVolumeSource(data_volume=DataVolumeSource(name="c"))
SCSI = Disk(name="", disk=DiskTarget(bus="scsi"), serial="s")


def spec(text: str = "{}") -> VirtualMachineInstanceSpec:
    return msgspec.convert({"domain": {}, **yaml.safe_load(text)}, VirtualMachineInstanceSpec)


def test_add() -> None:
    found = spec()
    disk, source = check_add(AddVolumeOptions(name="d", disk=SCSI, volume_source=DATA))
    add(found, disk, source)
    assert found.volumes[0].data_volume == DataVolumeSource(name="c", hotpluggable=True)
    assert found.domain.devices.disks == [Disk(name="d", disk=DiskTarget(bus="scsi"), serial="s")]
    assert DATA.data_volume == DataVolumeSource(name="c"), "the request itself stays"
    with pytest.raises(Refused, match=r"Unable to add volume \[d\] because volume with that name already exists"):
        add(found, disk, CLAIM)
    with pytest.raises(Refused, match=r"Unable to add volume source \[c\] because it already exists"):
        add(found, Disk(name="e"), CLAIM)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (AddVolumeOptions(disk=SCSI, volume_source=CLAIM), "AddVolumeOptions requires name to be set"),
        (AddVolumeOptions(name="d", volume_source=CLAIM), "AddVolumeOptions requires disk to not be nil"),
        (AddVolumeOptions(name="d", disk=SCSI), "AddVolumeOptions requires VolumeSource to not be nil"),
        (AddVolumeOptions(name="d", disk=SCSI, volume_source=HotplugVolumeSource()), "exactly one source"),
    ],
)
def test_what_is_missing(options: AddVolumeOptions, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        check_add(options)


def test_a_bus_that_takes_nothing_while_the_guest_runs() -> None:
    sata = Disk(name="x", disk=DiskTarget(bus="sata"))
    with pytest.raises(Invalid, match=r"AddVolume request for disk \[d\] requires bus to be 'scsi' or 'virtio'"):
        check_add(AddVolumeOptions(name="d", disk=sata, volume_source=CLAIM))


HOT = "persistentVolumeClaim: {claimName: c, hotpluggable: true}"


@pytest.mark.parametrize("word", ["d", "c"])
def test_remove_by_the_names_of_volume_and_claim(word: str) -> None:
    found = spec(f"{{domain: {{devices: {{disks: [{{name: d}}, {{name: e}}]}}}}, volumes: [{{name: d, {HOT}}}]}}")
    remove(found, word)
    assert found.volumes == []
    assert [disk.name for disk in found.domain.devices.disks] == ["e"]


def test_what_cannot_be_removed() -> None:
    found = spec("{volumes: [{name: d, persistentVolumeClaim: {claimName: c}}]}")
    with pytest.raises(Refused, match=r"Unable to remove volume \[d\] because it is not hotpluggable"):
        remove(found, "c")
    with pytest.raises(Refused, match=r"Unable to remove volume \[x\] because it does not exist"):
        remove(found, "x")


def test_media() -> None:
    found = spec("{domain: {devices: {disks: [{name: cd, cdrom: {}}, {name: d}]}}}")
    change_medium(found, "cd", CLAIM)
    assert found.volumes[0].persistent_volume_claim == ClaimSource(claim_name="c", hotpluggable=True)
    change_medium(found, "cd", DATA)
    assert [volume.sources() for volume in found.volumes] == [["dataVolume"]]
    change_medium(found, "cd", None)
    assert found.volumes == []
    assert len(found.domain.devices.disks) == 2
    with pytest.raises(Refused, match="the drive is empty"):
        change_medium(found, "cd", None)
    with pytest.raises(Refused, match="no CD-ROM drive of that name"):
        change_medium(found, "d", CLAIM)


def test_a_drive_outlives_its_volume() -> None:
    found = spec(f"{{domain: {{devices: {{disks: [{{name: d, cdrom: {{}}}}]}}}}, volumes: [{{name: d, {HOT}}}]}}")
    remove(found, "d")
    assert [disk.name for disk in found.domain.devices.disks] == ["d"]
