from __future__ import annotations

import pytest

from solovirt.translate import libvirt
from tests.unit.translate.test_libvirt import xml


@pytest.mark.parametrize(
    ("words", "path", "attribute", "value"),
    [
        ("-device usb-tablet", "input", "bus", "usb"),
        ("-device virtio-rng-pci-non-transitional,id=rng0", "rng", "model", "virtio"),
        ("-device virtio-balloon-pci,free-page-reporting=on", "memballoon", "freePageReporting", "on"),
        ("-m 1G", "memballoon", "model", "none"),
        ("-m 1G", "video/model", "type", "none"),
        ("-device VGA", "video/model", "type", "vga"),
        ("-device i6300esb -action watchdog=poweroff", "watchdog", "action", "poweroff"),
        ("-device tpm-crb", "tpm/backend", "persistent_state", "yes"),
        ("-device AC97", "sound", "model", "ac97"),
        ("-device pvpanic", "panic", "model", "isa"),
        ("-device vhost-vsock-pci,guest-cid=9", "vsock/cid", "address", "9"),
        ("-device vfio-pci,host=0000:01:00.1", "hostdev/source/address", "function", "0x1"),
        ("-vnc vnc=unix:/v", "graphics", "socket", "/v"),
        ("-chardev socket,id=c,path=/s -device isa-serial,chardev=c", "serial/source", "path", "/s"),
        ("-chardev socket,id=c,path=/a -device virtserialport,chardev=c,name=n", "channel/target", "name", "n"),
        ("-chardev socket,id=c,path=/f -device vhost-user-fs-pci,chardev=c,tag=t", "filesystem/target", "dir", "t"),
        ("-chardev socket,id=c,path=/u -device usb-redir,chardev=c", "redirdev/source", "path", "/u"),
        ("-device virtio-scsi-pci,bus=pci.5,addr=0x0", "controller/address", "bus", "0x05"),
        ("-netdev user,id=n -device e1000,netdev=n,mac=m", "interface/mac", "address", "m"),
    ],
)
def test_a_device_becomes_its_element(words: str, path: str, attribute: str, value: str) -> None:
    element = xml(words).find(f"devices/{path}")
    assert element is not None and element.get(attribute) == value


def test_disks_have_letters_and_keep_their_place() -> None:
    words = "-blockdev driver=file,filename=/a,node-name=s -blockdev driver=raw,file=s,node-name=f,read-only=on"
    words += " -device virtio-blk-pci,drive=f,id=ua-a,bus=pci.7,addr=0x0,bootindex=1,serial=S,werror=enospc"
    words += " -device ide-cd -device scsi-cd"
    disks = xml(words).findall("devices/disk")
    assert [disk.find("target").attrib for disk in disks] == [  # type: ignore[union-attr]
        {"dev": "vda", "bus": "virtio"},
        {"dev": "sda", "bus": "sata"},
        {"dev": "sdb", "bus": "scsi"},
    ]
    tags = [child.tag for child in disks[0]]
    assert tags == ["driver", "source", "target", "readonly", "serial", "boot", "alias", "address"]
    assert disks[0].find("driver").get("error_policy") == "enospace"  # type: ignore[union-attr]


def test_twenty_seven_disks() -> None:
    root = xml(" ".join(["-device virtio-blk-pci"] * 27))
    assert root.findall("devices/disk/target")[-1].get("dev") == "vdaa"


@pytest.mark.parametrize(
    "words",
    [
        "-device edu",
        "-netdev tap,id=n -device e1000,netdev=n",
        "-device ide-hd,serial=a=b",
        "-device vfio-pci,sysfsdev=/x",
    ],
)
def test_what_cannot_be_said_is_told(words: str) -> None:
    assert len(libvirt.write(words.split(), "x").losses) == 1
