"""What shows in several flags together."""

from __future__ import annotations

import pytest

from solovirt.kit.jsontypes import Json
from solovirt.translate import argv
from tests.unit.translate.helpers import at, lost

HUGE = "-object memory-backend-memfd,id=n{0},size=1G,hugetlb=on,host-nodes={0},policy=bind"
HUGE += " -numa node,nodeid={0},memdev=n{0}"


def disks(*threads: str) -> str:
    made = "".join(f" -object iothread,id={name}" for name in sorted({*threads} - {""}))
    for index, name in enumerate(threads):
        thread = f",iothread={name}" if name else ""
        made += f" -drive file=/d{index},format=raw,if=none,id=d{index}"
        made += f" -device virtio-blk-pci,drive=d{index},id=ua-d{index}{thread}"
    return made.strip()


@pytest.mark.parametrize(
    ("threads", "policy", "own"),
    [
        (("t1",), None, [True]),
        (("t1", "t1", "t1"), "shared", [None, None, None]),
        (("t1", "t2", "t1"), None, [None, True, None]),
        (("t1", "t2", "t1", "t2"), "auto", [None, None, None, None]),
    ],
)
def test_threads(threads: tuple[str, ...], policy: str | None, own: list[bool | None]) -> None:
    draft = argv.read(disks(*threads).split())
    assert at(draft, "domain.ioThreadsPolicy") == policy
    assert [at(draft, f"domain.devices.disks.{index}.dedicatedIOThread") for index in range(len(own))] == own
    assert lost(draft) == []


def test_threads_that_no_policy_gives() -> None:
    what = "\n".join(lost(argv.read(disks("t2", "t2", "t1").split())))
    assert "id=ua-d0" in what and "iothread,id=t1" in what


MEM = "-object memory-backend-ram,id=m,size=2G -device virtio-mem-pci,memdev=m"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("-m 2G,slots=16,maxmem=4G", "pc-dimm"),
        (f"-m 2G,maxmem=4G {MEM}", "virtio-mem"),
        (f"-m 2G,slots=16,maxmem=6G {MEM}", None),
        ("-m 2G", None),
    ],
)
def test_what_memory_grows_by(words: str, kind: str | None) -> None:
    draft = argv.read(words.split())
    assert draft.annotations.get("solovirt.io/memory-hotplug") == kind
    assert ("annotations" in str(draft.manifest())) == (kind is not None)


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        ("-m 2G", "domain.memory.maxGuest", "2Gi"),
        ("-m 512M", "domain.memory.maxGuest", "512Mi"),
        ("-m 126M", "domain.memory.maxGuest", None),
        ("-m 2G,maxmem=4G", "domain.memory.maxGuest", "4Gi"),
        (f"-m 2G,slots=16,maxmem=6G {MEM}", "domain.memory.maxGuest", "4Gi"),
        ("-overcommit mem-lock=on", "domain.memory.reservedOverhead", {"memLock": "Required"}),
        ("-machine q35,graphics=off", "domain.firmware.bootloader.bios.useSerial", True),
        (f"{HUGE.format(0)} {HUGE.format(1)}", "domain.cpu.numa", {"guestMappingPassthrough": {}}),
        (f"{HUGE.format(0)} -machine mem-merge=off -overcommit mem-lock=on", "domain.cpu.realtime", {}),
        ("-device virtio-rng-pci-transitional", "domain.devices.useVirtioTransitional", True),
        ("-object sev-guest,id=s,policy=5", "domain.launchSecurity.sev", {"policy": {"encryptedState": True}}),
    ],
)
def test_each_sign(words: str, path: str, value: Json) -> None:
    draft = argv.read(words.split())
    assert at(draft, path) == value
    assert lost(draft) == []


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("-machine mem-merge=off", "-machine mem-merge=off"),
        ("-machine graphics=off -bios OVMF.fd", "-machine graphics=off"),
        ("-numa node,nodeid=1,mem=1G", "-numa node,nodeid=1,mem=1G"),
        ("-numa dist,src=0,dst=1,val=20", "-numa dist,src=0,dst=1,val=20"),
        ("-device virtio-balloon-pci,id=b,free-page-reporting=off", "free-page-reporting=off of b"),
        ("-object sev-guest,id=s,dh-cert-file=/c", "dh-cert-file=/c"),
    ],
)
def test_what_is_lost(words: str, what: str) -> None:
    assert lost(argv.read(words.split())) == [what]
