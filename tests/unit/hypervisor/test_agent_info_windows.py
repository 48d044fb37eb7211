"""The replies of a Windows agent, typed: what it leaves out, what it writes otherwise, what is only its own."""

from __future__ import annotations

import json
from typing import TypeVar

from solovirt.hypervisor.agent_info import (
    AgentInfo,
    FileSystem,
    FileSystemDisk,
    Interface,
    OsInfo,
    Timezone,
    User,
    read,
)
from tests.support.agentreplies import WINDOWS

T = TypeVar("T")


def reply(command: str, kind: type[T]) -> T:
    return read(command, json.loads(WINDOWS[command])["return"], kind)


def test_system() -> None:
    found = reply("guest-get-osinfo", OsInfo)
    assert (found.id, found.variant, found.kernel_release) == ("mswindows", "server", "17763")
    assert reply("guest-get-timezone", Timezone) == Timezone("W. Europe Summer Time", 7200)
    assert read("guest-get-timezone", {"offset": -3600}, Timezone) == Timezone("", -3600)


def test_commands_that_are_off() -> None:
    info = reply("guest-info", AgentInfo)
    assert info.version == "107.0.1"
    assert {one.name: one.enabled for one in info.supported_commands} == {
        "guest-get-osinfo": True,
        "guest-suspend-hybrid": False,
        "guest-get-devices": True,
    }


def test_users_have_a_domain_and_broken_seconds() -> None:
    assert reply("guest-get-users", tuple[User, ...]) == (User("Administrator", "WIN-3UOJPM7TO5H", 1718012345.678901),)


def test_interfaces() -> None:
    ethernet, loopback = reply("guest-network-get-interfaces", tuple[Interface, ...])
    assert (ethernet.name, ethernet.hardware_address) == ("Ethernet Instance 0", "52:54:00:aa:bb:cc")
    assert [(ip.ip_address, ip.ip_address_type) for ip in ethernet.ip_addresses] == [
        ("fe80::5cc9:e4c5:6e2:8d4f%6", "ipv6"),
        ("10.0.2.2", "ipv4"),
    ]
    assert loopback.hardware_address == "", "it has none"


def test_file_systems_are_volumes() -> None:
    system, reserved, cd = reply("guest-get-fsinfo", tuple[FileSystem, ...])
    assert (system.mountpoint, system.type) == ("C:\\", "NTFS")
    assert system.name == "\\\\?\\Volume{11111111-0000-0000-0000-501f00000000}\\"
    assert (system.used_bytes, system.total_bytes) == (12304794624, 42304794624)
    assert system.disk == (FileSystemDisk(serial="QM00001", bus_type="virtio", dev="\\\\.\\PhysicalDrive0"),)
    assert (reserved.used_bytes, reserved.total_bytes, reserved.disk) == (None, None, ())
    assert (cd.mountpoint, cd.type) == ("D:\\", "CDFS")
