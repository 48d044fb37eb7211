from __future__ import annotations

import pytest

from solovirt.translate import argv
from tests.unit.translate.helpers import at, lost

NODES = [
    *("-blockdev", '{"driver":"file","filename":"/d/base","node-name":"b0"}'),
    *("-blockdev", '{"driver":"qcow2","node-name":"b1","file":"b0"}'),
    *("-blockdev", '{"driver":"file","filename":"/d/top","node-name":"t0","aio":"native"}'),
    *("-blockdev", '{"driver":"qcow2","node-name":"t1","file":"t0","backing":"b1"}'),
]


def test_a_chain_is_one_disk() -> None:
    device = "virtio-blk-pci,drive=t1,id=ua-root,bus=pci.7,addr=0x0,bootindex=2,serial=S,num-queues=4,share-rw=on"
    draft = argv.read([*NODES, "-device", device])
    assert at(draft, "domain.devices.disks.0") == {
        "name": "root",
        "disk": {"bus": "virtio", "pciAddress": "0000:07:00.0"},
        "bootOrder": 2,
        "serial": "S",
        "shareable": True,
        "io": "native",
    }
    assert at(draft, "domain.devices.blockMultiQueue") is True
    assert at(draft, "volumes") == [{"name": "root", "persistentVolumeClaim": {"claimName": "root"}}]
    assert lost(draft) == []
    assert "/d/top (qcow2) becomes the claim root" in draft.notes[0]


def test_a_block_device_is_a_host_disk() -> None:
    node = '{"driver":"host_device","filename":"/dev/sdx","node-name":"n","cache":{"direct":false}}'
    draft = argv.read(["-blockdev", node, "-device", "ide-hd,drive=n,write-cache=off,werror=report"])
    assert at(draft, "domain.devices.disks.0.cache") == "writethrough"
    assert at(draft, "domain.devices.disks.0.errorPolicy") == "report"
    assert at(draft, "volumes.0.hostDisk.path") == "/dev/sdx"


@pytest.mark.parametrize(
    ("words", "target", "bus", "source"),
    [
        ("-drive file=/a.img,format=raw,if=virtio,cache=none", "disk", "virtio", "hostDisk"),
        ("-drive file=/a.qcow2,if=ide", "disk", "sata", "persistentVolumeClaim"),
        ("-drive file=/a.iso,media=cdrom,if=virtio", "cdrom", "sata", "hostDisk"),
        ("-cdrom /a.iso", "cdrom", "sata", "hostDisk"),
        ("-hda /a.img", "disk", "sata", "hostDisk"),
        ("/a.img", "disk", "sata", "hostDisk"),
        ("-drive file=/a.img,id=d,if=none,format=raw -device scsi-hd,drive=d", "disk", "scsi", "hostDisk"),
    ],
)
def test_old_forms(words: str, target: str, bus: str, source: str) -> None:
    draft = argv.read(["qemu-system-x86_64", "-m", "1G", *words.split()])
    assert at(draft, f"domain.devices.disks.0.{target}.bus") == bus
    assert at(draft, f"volumes.0.{source}") is not None
    assert lost(draft) == []


def test_firmware_in_flash_is_efi() -> None:
    draft = argv.read(["-drive", "if=pflash,file=/OVMF_CODE.fd", "-drive", "if=pflash,file=/x_VARS.fd"])
    assert at(draft, "domain.firmware.bootloader.efi.secureBoot") is False
    assert "variables" in draft.notes[0]
    assert at(draft, "domain.devices.disks") is None


@pytest.mark.parametrize(
    "words",
    [
        "-fda /f.img",
        "-device virtio-blk-pci,drive=none",
        "-device virtio-blk-pci",
        "-device ide-hd,drive=d,wwn=1 -drive id=d,file=/x",
    ],
)
def test_what_cannot_be_carried_over(words: str) -> None:
    assert lost(argv.read(words.split()))


def test_a_loop_of_nodes_ends() -> None:
    loop = '{"driver":"raw","node-name":"a","file":"a","backing":"a"}'
    argv.read(["-blockdev", loop, "-device", "virtio-blk-pci,drive=a"])


def test_an_empty_drive_and_a_relative_path() -> None:
    draft = argv.read(["-device", "ide-cd,id=ua-cd", "-hda", "disk.img"])
    assert at(draft, "domain.devices.disks.0") == {"name": "cd", "cdrom": {"bus": "sata"}}
    assert any("relative" in note for note in draft.notes)
