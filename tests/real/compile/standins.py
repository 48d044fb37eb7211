"""What stands for the parts of a command line that a test host has not: its cards, its taps, other programs.

Everything else of the line is given to QEMU as it is. What is replaced keeps its id and its place, so slots, names and
what refers to it are still judged; that QEMU knows every key of it is asked over QMP (``keys``).
"""

from __future__ import annotations

from pathlib import Path

from solovirt.kit.json import Json, JsonObject, decode_object, encode, get_str
from tests.golden.cases import Case

_STAND_INS = {
    "vfio-pci": "pci-testdev",
    "vfio-pci-nohotplug": "pci-testdev",
    "vhost-vsock-pci-non-transitional": "pci-testdev",
    "usb-host": "usb-tablet",
}
"""A function of a card, a mediated device, the kernel's vsock, a stick: each becomes a simple one on the same bus."""
ABSENT_DEVICES = tuple(_STAND_INS)
ABSENT_BACKENDS = ("tap", "vhost-user")
"""A host's interface, passt: each becomes a hub of QEMU's own."""
_KEPT = ("id", "bus", "addr", "port")
_OUTGOING = "charnet-"
"""Connections that QEMU makes, to a program that is not there."""


_RESERVATIONS = "pr-manager-helper"
"""The connection to a service of hosts with a SAN."""
_SCSI_DEVICE, _SCSI_DISK = "scsi-block", "scsi-hd"
"""A LUN becomes an emulated disk of the same place."""


def replaced(words: list[str]) -> list[str]:
    """The command line with stand-ins for what this host lacks."""
    result = words[:1]
    for flag, value in _pairs(words[1:]):
        if flag == "-chardev" and value is not None and f"id={_OUTGOING}" in value:
            continue
        if flag == "-object" and value is not None and _RESERVATIONS in value:
            continue
        result.append(flag)
        if value is not None:
            result.append(_stand_in(flag, value))
    return result


def concerned(case: Case) -> bool:
    """Whether its command line may have such devices."""
    devices = case.spec.domain.devices
    functions = [nic for nic in devices.interfaces if nic.sriov is not None]
    return bool(functions or devices.gpus or devices.host_devices or devices.autoattach_vsock)


def absent(words: list[str]) -> list[JsonObject]:
    """The devices for which there are stand-ins."""
    found = [decode_object(value) for flag, value in _pairs(words[1:]) if flag == "-device" and value is not None]
    return [device for device in found if get_str(device, "driver") in ABSENT_DEVICES]


def keys(answer: Json) -> set[str]:
    """Names out of the answer to ``device-list-properties``, and those that -device itself takes."""
    listed = [get_str(entry, "name") for entry in answer if isinstance(entry, dict)] if isinstance(answer, list) else []
    return {"driver", "id", "bus", *listed}


def _pairs(words: list[str]) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for word in words:
        if word.startswith("-") and (not pairs or pairs[-1][1] is not None or pairs[-1][0] != "-append"):
            pairs.append((word, None))
        else:
            pairs[-1] = (pairs[-1][0], word)
    return pairs


_PAGES = ("hugetlb", "hugetlbsize", "prealloc", "host-nodes", "policy")
"""Keys of memory that a host without huge pages or without several nodes refuses; ``test_hugepages`` has them."""


def _memory(described: JsonObject) -> JsonObject:
    if described.get("qom-type") == "memory-backend-file":
        described = {**described, "mem-path": "/dev/shm"}
    return {key: value for key, value in described.items() if key not in _PAGES}


def _stand_in(flag: str, value: str) -> str:
    if flag == "-object" and "memory-backend" in value:
        return encode(_memory(decode_object(value))).decode()
    if flag == "-netdev":
        netdev = decode_object(value)
        if get_str(netdev, "type") in ABSENT_BACKENDS:
            return encode({"type": "hubport", "id": netdev["id"], "hubid": 0}).decode()
    if flag == "-blockdev":
        node = decode_object(value)
        if node.pop("pr-manager", None) is not None or node.get("driver") == "host_device":
            return encode({**node, "driver": "file"}).decode()
    if flag == "-device":
        device = decode_object(value)
        driver = get_str(device, "driver")
        if driver == _SCSI_DEVICE:
            return encode({**device, "driver": _SCSI_DISK}).decode()
        if driver in ABSENT_DEVICES and not (driver.startswith("vhost-vsock") and Path("/dev/vhost-vsock").exists()):
            kept: JsonObject = {key: device[key] for key in _KEPT if key in device}
            return encode({"driver": _STAND_INS[driver], **kept}).decode()
    return value
