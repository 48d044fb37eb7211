"""What a guest agent tells, in the shapes of KubeVirt's subresources. Source: kubevirt api core/v1 types.go."""

from __future__ import annotations

import asyncio

from solovirt.controllers.vmi.agent import guest_os
from solovirt.hypervisor.agent import GuestAgent
from solovirt.hypervisor.agent_info import FileSystem, Timezone, User
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject, to_object

API_VERSION = "subresources.kubevirt.io/v1"
SHOWN = 10
"""Users and file systems in guestosinfo."""


async def os_info(agent: GuestAgent) -> JsonObject:
    """VirtualMachineInstanceGuestAgentInfo. What this agent cannot tell is left out."""
    found = await agent.info()
    commands: list[Json] = [{"name": one.name, "enabled": one.enabled} for one in found.supported_commands]
    result: JsonObject = {
        "apiVersion": API_VERSION,
        "kind": "VirtualMachineInstanceGuestAgentInfo",
        "guestAgentVersion": found.version,
        "supportedCommands": commands,
    }
    hostname, os, timezone, users, disks, freeze = await asyncio.gather(
        agent.hostname(),
        agent.osinfo(),
        agent.timezone(),
        agent.users(),
        agent.filesystems(),
        agent.fsfreeze_status(),
        return_exceptions=True,
    )
    for error in (hostname, os, timezone, users, disks, freeze):
        if isinstance(error, BaseException) and not isinstance(error, GuestError):
            raise error
    if isinstance(hostname, str):
        result["hostname"] = hostname
    if not isinstance(os, BaseException):
        result["os"] = to_object(guest_os(os))
    if isinstance(timezone, Timezone):
        result["timezone"] = f"{timezone.zone}, {timezone.offset}"
    if not isinstance(users, BaseException):
        result["userList"] = [_user(user) for user in users[:SHOWN]]
    if not isinstance(disks, BaseException):
        result["fsInfo"] = {"disks": [_filesystem(one) for one in disks[:SHOWN]]}
    if isinstance(freeze, str):
        result["fsFreezeStatus"] = freeze
    return result


async def user_list(agent: GuestAgent) -> JsonObject:
    """VirtualMachineInstanceGuestOSUserList"""
    items: list[Json] = [_user(user) for user in await agent.users()]
    return _list("VirtualMachineInstanceGuestOSUserList", items)


async def filesystem_list(agent: GuestAgent) -> JsonObject:
    """VirtualMachineInstanceFileSystemList"""
    items: list[Json] = [_filesystem(one) for one in await agent.filesystems()]
    return _list("VirtualMachineInstanceFileSystemList", items)


def _list(kind: str, items: list[Json]) -> JsonObject:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {}, "items": items}


def _user(user: User) -> JsonObject:
    shown: JsonObject = {"userName": user.user}
    if user.domain:
        shown["domain"] = user.domain
    if user.login_time:
        shown["loginTime"] = user.login_time
    return shown


def _filesystem(found: FileSystem) -> JsonObject:
    shown: JsonObject = {
        "diskName": found.name,
        "mountPoint": found.mountpoint,
        "fileSystemType": found.type,
        "usedBytes": found.used_bytes or 0,
        "totalBytes": found.total_bytes or 0,
    }
    if found.disk:
        shown["disk"] = [{"serial": disk.serial, "busType": disk.bus_type} for disk in found.disk]
    return shown
