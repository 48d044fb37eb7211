"""Drives into disks and volumes: -blockdev chains, -drive, -cdrom and -hda.

A file cannot be put into a manifest as it is. A raw file or a block device becomes a ``hostDisk``; any other format a
claim, with a note that says how its content gets there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from solovirt.kit.jsontypes import Json, JsonObject
from solovirt.translate.draft import Draft
from solovirt.translate.parts import Parts
from solovirt.translate.words import Flag

BUSES = {
    "virtio-blk-pci": ("virtio", "disk"),
    "virtio-blk-pci-non-transitional": ("virtio", "disk"),
    "virtio-blk-pci-transitional": ("virtio", "disk"),
    "virtio-blk-device": ("virtio", "disk"),
    "ide-hd": ("sata", "disk"),
    "ide-cd": ("sata", "cdrom"),
    "scsi-hd": ("scsi", "disk"),
    "scsi-cd": ("scsi", "cdrom"),
    "scsi-block": ("scsi", "lun"),
    "usb-storage": ("usb", "disk"),
}
_INTERFACES = {"virtio": "virtio", "scsi": "scsi", "ide": "sata", "none": "", "usb": "usb"}
_PLACE = re.compile(r"pci\.([0-9]{1,2})", re.ASCII)
_POLICIES = {"stop": "stop", "report": "report", "ignore": "ignore", "enospc": "enospace"}


@dataclass(slots=True)
class Source:
    """What lies behind a drive. ``kind`` is "file", "host_device" or another QEMU block driver."""

    kind: str = "file"
    path: str = ""
    format: str = "raw"
    read_only: bool = False
    direct: bool | None = None
    aio: str = ""
    reservations: bool = False


def device(draft: Draft, parts: Parts, flag: Flag) -> None:
    """A disk device with the drive it names."""
    bus, target = BUSES[flag.head]
    if any(flag.word("bus") == f"{bridge.word('id')}.0" for bridge in parts.devices("usb-bot")):
        bus = "usb"
    name = _name(draft, flag.word("id") or flag.word("drive"))
    disk: JsonObject = {"name": name}
    drive = flag.word("drive")
    source = _source(draft, parts, drive) if drive else None
    inner: JsonObject = {"bus": bus}
    if source and source.read_only and target != "cdrom" and bus != "sata":
        inner["readonly"] = True
    if source and source.reservations and target == "lun":
        inner["reservation"] = True
    address = _address(flag)
    if bus == "virtio" and address:
        inner["pciAddress"] = address
    elif bus == "virtio" and flag.word("bus") not in ("", "pci.0", "pcie.0", "pci-bridge"):
        draft.lose(flag.shown(), "its PCI address: solovirt gives every device a root port of its own")
    disk[target] = inner
    _details(draft, flag, disk, source)
    draft.add("domain.devices.disks", disk)
    parts.disks.append((disk, flag))
    if bus == "virtio" and (flag.number("num-queues") or 0) > 1:
        draft.put("domain.devices.blockMultiQueue", True)
    if source is not None:
        draft.add("volumes", volume(draft, name, source))
    elif target != "cdrom":
        draft.lose(flag.shown(), "a disk without a drive")


def old_style(draft: Draft, parts: Parts, flag: Flag) -> None:
    """``-drive if=virtio``, ``-cdrom``, ``-hda``: a device comes along with the drive."""
    if flag.name == "drive":
        bus = _INTERFACES.get(flag.word("if", "ide"))
        if bus is None:
            draft.lose(flag.shown(), f"drives of kind {flag.word('if')} have no place in a manifest")
            return
        target = "cdrom" if flag.word("media") == "cdrom" else "disk"
        source = _of_drive(flag)
        if source.kind == "null" or not source.path:
            return
    else:
        bus, target = ("sata", "cdrom") if flag.name == "cdrom" else ("sata", "disk")
        source = Source(path=flag.text.removeprefix("file="), format=_guess(flag.text), read_only=target == "cdrom")
    if target == "cdrom":
        bus = "sata" if bus == "virtio" else bus
    name = _name(draft, flag.word("id") or source.path.rpartition("/")[2].partition(".")[0])
    disk: JsonObject = {"name": name, target: {"bus": bus}}
    _details(draft, flag, disk, source)
    draft.add("domain.devices.disks", disk)
    draft.add("volumes", volume(draft, name, source))


def volume(draft: Draft, name: str, source: Source) -> JsonObject:
    if source.kind not in ("file", "host_device", "host_cdrom"):
        text = f"block driver {source.kind}: the claim {name} must get its content from somewhere else"
        draft.lose(f"drive {name}", text)
        return {"name": name, "persistentVolumeClaim": {"claimName": name}}
    if source.path and not source.path.startswith("/"):
        draft.note(f"{source.path} is relative to where that command ran: write the whole path into volume {name}")
    if source.format == "raw" and source.path:
        return {"name": name, "hostDisk": {"path": source.path, "type": "Disk"}}
    text = (
        f"{source.path} ({source.format}) becomes the claim {name}: "
        f"make it with a DataVolume, or a raw copy for a hostDisk with `qemu-img convert -O raw`"
    )
    draft.note(text)
    return {"name": name, "persistentVolumeClaim": {"claimName": name}}


def _details(draft: Draft, flag: Flag, disk: JsonObject, source: Source | None) -> None:
    if (order := flag.number("bootindex")) is not None:
        disk["bootOrder"] = max(order, 1)
        if order < 1:
            draft.lose(f"bootindex={order} of {disk['name']}", "bootOrder begins at 1")
    if serial := flag.word("serial"):
        disk["serial"] = serial
    if flag.on("share-rw"):
        disk["shareable"] = True
    policy = flag.word("werror", "stop")
    if policy in _POLICIES and policy != "stop":
        disk["errorPolicy"] = _POLICIES[policy]
    if source is not None and source.direct is not None and "shareable" not in disk:
        disk["cache"] = "none" if source.direct else "writethrough" if flag.on("write-cache") is False else "writeback"
    if source is not None and source.aio in ("native", "threads"):
        disk["io"] = source.aio
    sizes = {
        "logical": flag.number("logical_block_size"),
        "physical": flag.number("physical_block_size"),
        "discardGranularity": flag.number("discard_granularity"),
    }
    if sizes["logical"] or sizes["physical"]:
        custom: JsonObject = {key: value for key, value in sizes.items() if value}
        disk["blockSize"] = {"custom": custom}
    for key in ("wwn", "vendor", "product", "rotation_rate", "bps", "iops", "throttling"):
        if flag.word(key):
            draft.lose(f"{key}={flag.word(key)} of {disk['name']}", "a manifest has no field for it")


def _source(draft: Draft, parts: Parts, drive: str) -> Source | None:
    """The file at the end of a drive's chain, with the format of its top node."""
    if drive in parts.drives:
        flag = parts.drives[drive]
        parts.use(flag)
        return _of_drive(flag)
    top = parts.nodes.get(drive)
    if top is None:
        draft.lose(f"drive {drive}", "the command line has no such drive")
        return None
    parts.use(top)
    driver = top.word("driver", top.head)
    found = Source(format=driver, read_only=top.on("read-only") is True)
    if driver in ("file", "host_device", "host_cdrom", "nbd", "rbd", "iscsi", "http", "https"):
        found.format = "raw"
    _use_backing(parts, top)
    _bottom(parts, top, found, depth=0)
    return found


def _bottom(parts: Parts, node: Flag, found: Source, depth: int) -> None:
    below = node.props.get("file")
    inner = parts.nodes.get(below) if isinstance(below, str) else None
    if inner is not None and depth < 16:
        parts.use(inner)
        _bottom(parts, inner, found, depth + 1)
        return
    last = Flag("blockdev", "", "", below) if isinstance(below, dict) else node
    found.kind = last.word("driver", "file")
    found.path = last.word("filename") or last.word("path") or last.word("uri")
    found.aio = last.word("aio")
    if manager := last.word("pr-manager"):
        parts.use(parts.objects.get(manager))
        found.reservations = True
    cache = last.props.get("cache")
    if isinstance(cache, dict):
        found.direct = Flag("", "", "", cache).on("direct")


def _use_backing(parts: Parts, node: Flag, depth: int = 0) -> None:
    below = node.props.get("backing")
    lower = parts.nodes.get(below) if isinstance(below, str) else None
    if lower is None or depth > 64:
        return
    parts.use(lower)
    if isinstance(file := lower.props.get("file"), str):
        parts.use(parts.nodes.get(file))
    _use_backing(parts, lower, depth + 1)


def _of_drive(flag: Flag) -> Source:
    path = flag.word("file") or flag.head
    cache = flag.word("cache")
    return Source(
        kind="host_device" if path.startswith("/dev/") else "file",
        path=path,
        format=flag.word("format") or _guess(path),
        read_only=bool(flag.on("readonly") or flag.on("read-only")) or flag.word("media") == "cdrom",
        direct={"none": True, "directsync": True}.get(cache, False) if cache else None,
        aio=flag.word("aio"),
    )


def _guess(path: str) -> str:
    """Only for the manifest's author to read: nothing is opened by it."""
    ending = path.rpartition(".")[2].lower()
    return ending if ending in ("qcow2", "vmdk", "vdi", "vhdx", "qed") else "raw"


def _address(flag: Flag) -> str:
    """The PCI address of a device on a root port that is numbered as libvirt and solovirt number them."""
    match = _PLACE.fullmatch(flag.word("bus"))
    if match and flag.word("addr") in ("0x0", "0", "00.0", "0x00"):
        return f"0000:{int(match[1]):02x}:00.0"
    slot = flag.word("addr")
    if flag.word("bus") == "pcie.0" and re.fullmatch(r"0x[0-9a-f]{1,2}", slot):
        return f"0000:00:{int(slot, 16):02x}.0"
    return ""


def place(flag: Flag) -> str:
    """``_address`` for other devices."""
    return _address(flag)


def _name(draft: Draft, text: str) -> str:
    return draft.free_name(text.removeprefix("ua-") or "disk", "domain.devices.disks")


def unused(draft: Draft, parts: Parts, flag: Flag) -> None:
    """A drive that no device uses, unless it makes its own device."""
    if flag.name in ("drive", "cdrom", "hda", "hdb", "hdc", "hdd", "fda", "fdb", "sd", "pflash", "mtdblock"):
        if flag.name in ("fda", "fdb", "sd", "mtdblock") or flag.word("if") == "floppy":
            draft.lose(flag.shown(), "KubeVirt has no such drives")
        elif flag.word("if") == "pflash" or flag.name == "pflash":
            firmware(draft, flag.word("file", flag.text))
        else:
            old_style(draft, parts, flag)


def firmware(draft: Draft, path: str) -> None:
    """Code of UEFI firmware: which one is chosen by the host's firmware descriptors."""
    upper = path.upper()
    if "VARS" in upper or "NVRAM" in upper:
        draft.note(f"the firmware's variables in {path} are not taken along: boot entries are made anew")
    else:
        draft.put("domain.firmware.bootloader.efi", _efi(draft))


def _efi(draft: Draft) -> Json:
    domain = draft.spec.get("domain")
    features = domain.get("features") if isinstance(domain, dict) else None
    smm = features.get("smm") if isinstance(features, dict) else None
    return {"secureBoot": isinstance(smm, dict) and smm.get("enabled") is not False}
