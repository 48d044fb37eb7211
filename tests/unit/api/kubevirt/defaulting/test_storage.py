"""What is filled in for disks and volumes."""

from __future__ import annotations

import pytest

from solovirt.api.kubevirt.defaulting.storage import pull_policy

from ..test_defaults import bare


def test_disks_follow_volumes() -> None:
    volumes = [{"name": "a", "emptyDisk": {"capacity": "1Gi"}}, {"name": "b", "emptyDisk": {"capacity": "1Gi"}}]
    devices = {"disks": [{"name": "b", "disk": {"bus": "virtio"}}, {"name": "cd", "cdrom": {}}, {"name": "d"}]}
    disks = bare({"devices": devices}, volumes=volumes).spec.domain.devices.disks
    assert [disk.name for disk in disks] == ["b", "cd", "d", "a"]
    assert [disk.disk.bus for disk in disks if disk.disk is not None] == ["virtio", "sata", "sata"]
    cdrom = disks[1].cdrom
    assert cdrom is not None and (cdrom.bus, cdrom.readonly, cdrom.tray) == ("sata", True, "closed")


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("fedora", "Always"),
        ("quay.io/x/fedora", "Always"),
        ("quay.io/x/fedora:latest", "Always"),
        ("registry:5000/fedora", "IfNotPresent"),
        ("registry:5000/fedora:latest", "Always"),
        ("registry:5000/fedora:41", "IfNotPresent"),
        ("fedora@sha256:" + "a" * 64, "IfNotPresent"),
    ],
)
def test_pull_policies(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_pull_policies_of_disks_and_kernels() -> None:
    volumes = [{"name": "a", "containerDisk": {"image": "x:1"}}, {"name": "b", "emptyDisk": {"capacity": 1}}]
    boot = {"container": {"image": "x", "kernelPath": "/k"}}
    spec = bare({"firmware": {"kernelBoot": boot}}, volumes=volumes).spec
    assert spec.volumes[0].container_disk is not None
    assert spec.volumes[0].container_disk.image_pull_policy == "IfNotPresent"
    firmware = spec.domain.firmware
    assert firmware is not None and firmware.kernel_boot is not None and firmware.kernel_boot.container is not None
    assert firmware.kernel_boot.container.image_pull_policy == "Always"


def test_luns_have_a_bus_and_filesystems_no_disk() -> None:
    volumes = [{"name": "a", "emptyDisk": {"capacity": 1}}, {"name": "b", "emptyDisk": {"capacity": 1}}]
    devices = {"disks": [{"name": "a", "lun": {}}], "filesystems": [{"name": "b", "virtiofs": {}}]}
    [disk] = bare({"devices": devices}, volumes=volumes).spec.domain.devices.disks
    assert disk.lun is not None and disk.lun.bus == "sata" and disk.disk is None


def test_a_memory_dump_is_no_disk() -> None:
    volumes = [{"name": "a", "memoryDump": {"claimName": "c"}}]
    assert bare({}, volumes=volumes).spec.domain.devices.disks == []
