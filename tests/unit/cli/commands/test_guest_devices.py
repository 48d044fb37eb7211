from __future__ import annotations

import json

import pytest

from tests.support.agentreplies import LINUX, WINDOWS
from tests.support.apiserver import FakeApi
from tests.unit.cli.commands.guestapi import Guest
from tests.unit.cli.conftest import Run


def table(run: Run, verb: str) -> list[list[str]]:
    import re

    done = run("guest", verb, "hello")
    assert (done.code, done.err) == (0, "")
    return [re.split(r"\s{2,}", line) for line in done.out.splitlines()]


def test_interfaces(api: FakeApi, run: Run) -> None:
    Guest(api, WINDOWS)
    assert table(run, "interfaces") == [
        ["NAME", "MAC", "ADDRESSES", "RECEIVED", "SENT", "ERRORS"],
        [
            "Ethernet Instance 0",
            "52:54:00:aa:bb:cc",
            "fe80::5cc9:e4c5:6e2:8d4f%6/64,10.0.2.2/24",
            "21.5 KiB",
            "17.6 KiB",
            "0",
        ],
        ["Loopback Pseudo-Interface 1", "::1/128,127.0.0.1/8"],
    ]


def test_disks_of_linux(api: FakeApi, run: Run) -> None:
    Guest(api, LINUX)
    lines = run("guest", "disks", "hello").out.splitlines()
    assert [line.split() for line in lines] == [
        ["NAME", "PARTITION", "BUS", "ADDRESS", "SERIAL", "DEPENDS-ON"],
        ["/dev/dm-0", "(rhel-root)", "no", "/dev/vda2,/dev/vdb"],
        ["/dev/sdb", "no", "scsi", "0000:01:02.1", "0:0:3"],
        ["/dev/vda", "no", "virtio", "0000:05:00.0", "root"],
        ["/dev/vda1", "yes", "/dev/vda"],
    ]


def test_disks_of_windows(api: FakeApi, run: Run) -> None:
    """-1 is what the agent does not know."""
    Guest(api, WINDOWS)
    assert table(run, "disks")[1:] == [["\\\\.\\PhysicalDrive0", "no", "sata", "QM00001"]]


def test_file_systems(api: FakeApi, run: Run) -> None:
    Guest(api, WINDOWS)
    system, drive, reserved = table(run, "fs")[1:]
    volume = "\\\\?\\Volume{11111111-0000-0000-0000-501f00000000}\\"
    assert system == ["C:\\", volume, "NTFS", "39.4 GiB", "11.5 GiB", "29%", "\\\\.\\PhysicalDrive0"]
    assert drive[0] == "D:\\" and drive[2:] == ["CDFS"]
    assert reserved[0] == "System Reserved" and reserved[2:] == ["NTFS"]
    shown = json.loads(run("guest", "fs", "hello", "-o", "json").out)
    assert [one["mountpoint"] for one in shown] == ["C:\\", "D:\\", "System Reserved"]
    assert shown[0]["disk"][0]["pci-controller"]["bus"] == -1


@pytest.mark.parametrize("verb", ["interfaces", "disks", "fs"])
def test_hostile_replies(api: FakeApi, run: Run, verb: str) -> None:
    guest = Guest(api, {})
    odd = {"name": 5, "mountpoint": ["x"], "ip-addresses": [7, {"prefix": "x"}], "address": {"pci-controller": []}}
    stats = {"statistics": {"rx-bytes": "x"}, "used-bytes": -1, "total-bytes": 0, "disk": ["x", {"dev": "\x1b[2J"}]}
    for command in ("guest-network-get-interfaces", "guest-get-disks", "guest-get-fsinfo"):
        guest.says(command, [odd | stats, 1])
    done = run("guest", verb, "hello")
    assert done.code == 0 and "\x1b" not in done.out and len(done.out.splitlines()) == 2
    for command in guest.replies:
        guest.says(command, "nothing")
    assert "reply is not a list" in run("guest", verb, "hello").err
