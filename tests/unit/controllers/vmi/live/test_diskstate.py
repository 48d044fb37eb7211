from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget, LunTarget
from solovirt.api.kubevirt.spec.sources import ClaimSource, Volume
from solovirt.controllers.vmi.live.diskstate import Present, is_right, look, removable
from solovirt.hypervisor.blocks import Node
from tests.unit.controllers.vmi.live.fakeqemu import FakeQemu

VOLUME = Volume(name="d", persistent_volume_claim=ClaimSource(claim_name="c"))


def present(kind: str = "scsi-hd", file: str = "/c", read_only: bool = False) -> Present:
    nodes = {
        "d-0-storage": Node("d-0-storage", file, read_only),
        "d-0-format": Node("d-0-format", "", read_only, 5),
        "d-1-storage": Node("d-1-storage", "/below", True),
        "d-1-format": Node("d-1-format", "", True),
        "d-more-0-format": Node("d-more-0-format"),
        "libvirt-pflash0-storage": Node("libvirt-pflash0-storage", "/vars"),
    }
    return Present({"ua-d": kind, "ua-cd": "ide-cd", "ua-old": "virtio-blk-pci", "other": "scsi-hd"}, nodes, {})


def test_what_belongs_to_a_volume() -> None:
    found = present()
    assert found.chain("d") == ["d-0-format", "d-0-storage", "d-1-format", "d-1-storage"]
    assert (found.file("d"), found.size("d"), found.file("none")) == ("/c", 5, "")
    assert found.unwanted(["d"]) == ["old"], "a drive stays, and what others made is theirs"
    assert found.leftovers(["d"]) == ["d-more-0-format"]
    assert removable(["a-1-storage", "a-0-storage", "a-0-format"]) == ["a-0-format", "a-0-storage", "a-1-storage"]


@pytest.mark.parametrize(
    ("found", "disk", "right"),
    [
        (present(), Disk(name="d", disk=DiskTarget(bus="scsi")), True),
        (present(), Disk(name="d", lun=LunTarget(bus="scsi")), True),
        (present("scsi-block"), Disk(name="d", lun=LunTarget(bus="scsi")), True),
        (present("virtio-blk-pci"), Disk(name="d", disk=DiskTarget(bus="virtio")), True),
        (present(), Disk(name="d", disk=DiskTarget(bus="virtio")), False),
        (present(file="/x"), Disk(name="d", disk=DiskTarget(bus="scsi")), False),
        (present(read_only=True), Disk(name="d", disk=DiskTarget(bus="scsi")), False),
        (present(read_only=True), Disk(name="d", disk=DiskTarget(bus="scsi", readonly=True)), True),
        (present(file=""), Disk(name="d", disk=DiskTarget(bus="scsi")), True),
    ],
)
def test_is_right(found: Present, disk: Disk, right: bool) -> None:
    assert is_right(found, disk, VOLUME, "/c") is right


async def test_look() -> None:
    qemu = FakeQemu()
    qemu.drive("ua-cd")
    qemu.devices["channel0"] = {"driver": "virtserialport"}
    qemu.devices["ua-d"] = {"driver": "virtio-blk-pci-non-transitional"}
    found = await look(qemu.instance)
    assert found.devices == {"ua-cd": "ide-cd", "ua-d": "virtio-blk-pci"}
    assert set(found.media) == {"ua-cd"}
