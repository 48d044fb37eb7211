from __future__ import annotations

import msgspec
import pytest
import yaml

from solovirt.api.kubevirt.live.merge import needs_restart
from solovirt.api.kubevirt.live.storage import claim_name, is_hotpluggable, plug_problem, take
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget, LunTarget
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import ClaimSource, DataVolumeSource, EmptyDiskSource, Volume
from solovirt.kit.json import clone

ROOT = "{name: root, disk: {bus: virtio}}", "{name: root, containerDisk: {image: a}}"
CD = "{name: cd, cdrom: {bus: sata, tray: closed}}"


def pvc(name: str, claim: str = "", hot: str = "true", more: str = "") -> str:
    return f"{{name: {name}, persistentVolumeClaim: {{claimName: {claim or name}, hotpluggable: {hot}{more}}}}}"


def disk(name: str, bus: str = "virtio", more: str = "") -> str:
    return f"{{name: {name}, disk: {{bus: {bus}}}{more}}}"


def spec(disks: list[str], volumes: list[str], more: str = "") -> VirtualMachineInstanceSpec:
    text = f"{{domain: {{devices: {{disks: [{', '.join(disks)}]{more}}}}}, volumes: [{', '.join(volumes)}]}}"
    return msgspec.convert(yaml.safe_load(text), VirtualMachineInstanceSpec)


def merged(wanted: VirtualMachineInstanceSpec, running: VirtualMachineInstanceSpec) -> VirtualMachineInstanceSpec:
    made = clone(running)
    take(wanted, made)
    return made


BARE = spec([ROOT[0], CD], [ROOT[1]])
WITH_DATA = spec([ROOT[0], CD, disk("data")], [ROOT[1], pvc("data")])
FULL_DRIVE = spec([ROOT[0], CD], [ROOT[1], pvc("cd", "iso")])


@pytest.mark.parametrize(
    ("running", "wanted"),
    [
        (BARE, WITH_DATA),
        (WITH_DATA, BARE),
        (BARE, spec([disk("data", "scsi"), ROOT[0], CD], [pvc("data"), ROOT[1]])),
        (BARE, spec([ROOT[0], CD, "{name: data, lun: {bus: scsi}}"], [ROOT[1], pvc("data")])),
        (WITH_DATA, spec([ROOT[0], CD, disk("data")], [ROOT[1], pvc("data", "other")])),
        (WITH_DATA, spec([ROOT[0], CD, disk("data", "scsi")], [ROOT[1], pvc("data")])),
        (WITH_DATA, spec([ROOT[0], CD, disk("data")], [ROOT[1], pvc("data", more=", readOnly: true")])),
        (WITH_DATA, spec([ROOT[0], CD, disk("data", more=", serial: s")], [ROOT[1], pvc("data", "other")])),
        (BARE, FULL_DRIVE),
        (FULL_DRIVE, BARE),
        (FULL_DRIVE, spec([ROOT[0], CD], [ROOT[1], pvc("cd", "other")])),
        (BARE, spec([ROOT[0], CD.replace("closed", "open")], [ROOT[1]])),
        (spec([CD], ["{name: cd, containerDisk: {image: a}}"]), spec([CD], [])),
        (spec([CD], ["{name: cd, containerDisk: {image: a}}"]), spec([CD], [pvc("cd")])),
        (WITH_DATA, spec([ROOT[0], CD, disk("more", "scsi")], [ROOT[1], pvc("more")])),
    ],
)
def test_what_is_followed_in_place(running: VirtualMachineInstanceSpec, wanted: VirtualMachineInstanceSpec) -> None:
    now = merged(wanted, running)
    assert now == wanted
    assert not needs_restart(wanted, now)


@pytest.mark.parametrize(
    ("running", "wanted"),
    [
        (BARE, spec([ROOT[0], CD, disk("data")], [ROOT[1], pvc("data", hot="false")])),
        (BARE, spec([ROOT[0], CD, disk("data", "sata")], [ROOT[1], pvc("data")])),
        (BARE, spec([ROOT[0], CD, disk("data", more=", dedicatedIOThread: true")], [ROOT[1], pvc("data")])),
        (BARE, spec([ROOT[0], CD, "{name: d, lun: {bus: scsi, reservation: true}}"], [ROOT[1], pvc("d")])),
        (BARE, spec([ROOT[0], CD, "{name: new, cdrom: {bus: sata}}"], [ROOT[1]])),
        (BARE, spec([CD], [])),
        (BARE, spec([CD, ROOT[0]], [ROOT[1]])),
        (BARE, spec([ROOT[0]], [ROOT[1]])),
        (FULL_DRIVE, spec([ROOT[0]], [ROOT[1]])),
        (BARE, spec([ROOT[0], CD], [ROOT[1], "{name: cd, containerDisk: {image: a}}"])),
        (BARE, spec([ROOT[0], CD.replace("sata", "scsi")], [ROOT[1]])),
        (WITH_DATA, spec([ROOT[0], CD, disk("data", more=", serial: s")], [ROOT[1], pvc("data")])),
        (WITH_DATA, spec([ROOT[0], CD, disk("data")], [ROOT[1], pvc("data", hot="false")])),
        (WITH_DATA, spec([ROOT[0], CD, disk("data", "sata")], [ROOT[1], pvc("data", "other")])),
    ],
)
def test_what_needs_a_restart(running: VirtualMachineInstanceSpec, wanted: VirtualMachineInstanceSpec) -> None:
    now = merged(wanted, running)
    assert needs_restart(wanted, now)
    assert now == running


def test_what_can_be_followed_is_though_the_rest_waits() -> None:
    wanted = spec([ROOT[0], CD, disk("data"), disk("cold", "sata")], [ROOT[1], pvc("data"), pvc("cold")])
    now = merged(wanted, BARE)
    assert now == WITH_DATA
    assert needs_restart(wanted, now)


def test_a_machine_without_hotplug_keeps_its_disks_and_changes_media() -> None:
    frozen = ", disableHotplug: true"
    running = spec([ROOT[0], CD], [ROOT[1]], frozen)
    assert merged(spec([ROOT[0], CD, disk("data")], [ROOT[1], pvc("data")], frozen), running) == running
    inserted = spec([ROOT[0], CD], [ROOT[1], pvc("cd")], frozen)
    assert merged(inserted, running) == inserted


def test_volumes_of_filesystems_are_left_alone() -> None:
    shared = ", filesystems: [{name: data, virtiofs: {}}]"
    running = spec([ROOT[0]], [ROOT[1]], shared)
    assert merged(spec([ROOT[0]], [ROOT[1], pvc("data")], shared), running) == running


def test_problems_are_told_in_kubevirts_words() -> None:
    assert plug_problem(Disk(name="a", disk=DiskTarget(bus="virtio"))) == ""
    assert plug_problem(Disk(name="a", disk=DiskTarget())) == (
        "for disk [a] requires bus to be 'scsi' or 'virtio'. [sata] is not permitted."
    )
    assert plug_problem(Disk(name="a", lun=LunTarget(bus="virtio"))) == (
        "for LUN [a] requires bus to be 'scsi'. [virtio] is not permitted."
    )
    assert plug_problem(Disk(name="a")) == "for [a] requires diskDevice of type 'disk' or 'lun' to be used."
    threads = Disk(name="a", disk=DiskTarget(bus="scsi"), dedicated_io_thread=True)
    assert plug_problem(threads) == "for [a] requires virtio bus for IOThreads."


def test_claims_of_volumes() -> None:
    hot = Volume(name="v", data_volume=DataVolumeSource(name="dv", hotpluggable=True))
    cold = Volume(name="v", persistent_volume_claim=ClaimSource(claim_name="c"))
    other = Volume(name="v", empty_disk=EmptyDiskSource(capacity="1Gi"))
    assert [is_hotpluggable(volume) for volume in (hot, cold, other)] == [True, False, False]
    assert [claim_name(volume) for volume in (hot, cold, other)] == ["dv", "c", ""]
