"""What the guest agent tells about the guest, typed. Field names are those of QEMU's qga/qapi-schema.json.

Everything is the guest's word: every field may be missing, strings are made printable and lists are cut before they
get here. The readers raise ``GuestError`` reason "AgentBadReply" when a value has the wrong type.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, convert
from solovirt.kit.text import printable

T = TypeVar("T")

LIST_LIMIT = 512
STRING_LIMIT = 1024


class OsInfo(msgspec.Struct, frozen=True, rename="kebab"):
    """guest-get-osinfo"""

    id: str = ""
    name: str = ""
    pretty_name: str = ""
    version: str = ""
    version_id: str = ""
    kernel_release: str = ""
    kernel_version: str = ""
    machine: str = ""
    variant: str = ""
    variant_id: str = ""


class Timezone(msgspec.Struct, frozen=True, rename="kebab"):
    """guest-get-timezone; ``offset`` is seconds east of UTC."""

    zone: str = ""
    offset: int = 0


class User(msgspec.Struct, frozen=True, rename="kebab"):
    """guest-get-users; ``login_time`` is seconds since the epoch."""

    user: str = ""
    domain: str = ""
    login_time: float = 0.0


class IpAddress(msgspec.Struct, frozen=True, rename="kebab"):
    ip_address: str = ""
    ip_address_type: str = ""
    """ "ipv4" or "ipv6"."""
    prefix: int = 0


class Interface(msgspec.Struct, frozen=True, rename="kebab"):
    """guest-network-get-interfaces"""

    name: str = ""
    hardware_address: str = ""
    ip_addresses: tuple[IpAddress, ...] = ()


class FileSystemDisk(msgspec.Struct, frozen=True, rename="kebab"):
    serial: str = ""
    bus_type: str = ""
    dev: str = ""


class FileSystem(msgspec.Struct, frozen=True, rename="kebab"):
    """guest-get-fsinfo; sizes in bytes, None where the guest does not tell."""

    name: str = ""
    mountpoint: str = ""
    type: str = ""
    used_bytes: int | None = None
    total_bytes: int | None = None
    disk: tuple[FileSystemDisk, ...] = ()


class SupportedCommand(msgspec.Struct, frozen=True):
    name: str = ""
    enabled: bool = False


class AgentInfo(msgspec.Struct, frozen=True):
    """guest-info"""

    version: str = ""
    supported_commands: tuple[SupportedCommand, ...] = ()


def read(command: str, reply: Json, kind: type[T]) -> T:
    """The reply to ``command`` as a ``kind``; fields that ``kind`` does not have are ignored."""
    try:
        return convert(_clean(reply), kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise GuestError(f"{command}: {printable(str(error))}", reason="AgentBadReply") from error


def _clean(value: Json) -> Json:
    match value:
        case str():
            return printable(value, STRING_LIMIT)
        case list():
            return [_clean(item) for item in value[:LIST_LIMIT]]
        case dict():
            # A null is as good as nothing: no field of the schema is nullable.
            return {key: _clean(item) for key, item in value.items() if item is not None}
    return value
