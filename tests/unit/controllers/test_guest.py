from __future__ import annotations

from typing import cast

import pytest

from solovirt.controllers import guest
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_info import (
    AgentInfo,
    FileSystem,
    FileSystemDisk,
    OsInfo,
    SupportedCommand,
    Timezone,
    User,
)
from solovirt.kit.errors import GuestError


class Agent:
    async def info(self) -> AgentInfo:
        return AgentInfo("7.2.0", (SupportedCommand("guest-ping", True),))

    async def hostname(self) -> str:
        return "box"

    async def osinfo(self) -> OsInfo:
        return OsInfo(id="debian")

    async def timezone(self) -> Timezone:
        return Timezone("UTC", 0)

    async def users(self) -> tuple[User, ...]:
        return tuple(User(f"u{number}", "", 1.5) for number in range(12))

    async def filesystems(self) -> tuple[FileSystem, ...]:
        return (FileSystem("vda1", "/", "ext4", 1, 2, (FileSystemDisk("SER", "virtio"),)),)

    async def fsfreeze_status(self) -> str:
        return "thawed"


class Old(Agent):
    async def timezone(self) -> Timezone:
        raise GuestError("not known", reason="CommandNotFound")


class Broken(Agent):
    async def timezone(self) -> Timezone:
        raise ValueError("a defect")


def agent(made: Agent) -> GuestAgent:
    return cast(GuestAgent, made)


async def test_os_info() -> None:
    info = await guest.os_info(agent(Agent()))
    assert info["guestAgentVersion"] == "7.2.0"
    assert info["supportedCommands"] == [{"name": "guest-ping", "enabled": True}]
    assert (info["hostname"], info["os"], info["timezone"]) == ("box", {"id": "debian"}, "UTC, 0")
    assert info["fsFreezeStatus"] == "thawed"
    users, disks = info["userList"], info["fsInfo"]
    assert isinstance(users, list)
    assert isinstance(disks, dict)
    assert len(users) == 10


async def test_what_the_agent_does_not_know_is_left_out() -> None:
    info = await guest.os_info(agent(Old()))
    assert "timezone" not in info
    assert info["hostname"] == "box"


async def test_a_defect_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="a defect"):
        await guest.os_info(agent(Broken()))


async def test_lists() -> None:
    users = await guest.user_list(agent(Agent()))
    assert isinstance(users["items"], list)
    assert users["items"][0] == {"userName": "u0", "loginTime": 1.5}
    assert len(users["items"]) == 12
    disks = await guest.filesystem_list(agent(Agent()))
    assert disks["items"] == [
        {
            "diskName": "vda1",
            "mountPoint": "/",
            "fileSystemType": "ext4",
            "usedBytes": 1,
            "totalBytes": 2,
            "disk": [{"serial": "SER", "busType": "virtio"}],
        }
    ]
