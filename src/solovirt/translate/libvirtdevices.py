"""The devices of a command line as libvirt's ``<devices>``. PCI addresses stay, so that the guest sees no change."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element, SubElement

from solovirt.translate.devices import NICS
from solovirt.translate.draft import Loss
from solovirt.translate.drives import BUSES
from solovirt.translate.parts import Parts
from solovirt.translate.words import Flag

_PORT = re.compile(r"pci\.([0-9]{1,2})", re.ASCII)
_SERIAL = re.compile(r"[A-Za-z0-9_.+ -]+", re.ASCII)
_PREFIXES = {"virtio": "vd", "sata": "sd", "scsi": "sd", "usb": "sd"}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_VIDEO = {
    "VGA": "vga",
    "bochs-display": "bochs",
    "cirrus-vga": "cirrus",
    "virtio-vga": "virtio",
    "virtio-gpu-pci": "virtio",
    "ramfb": "ramfb",
}
_IMPLIED = frozenset(
    {"pcie-root-port", "pcie-pci-bridge", "hda-duplex", "qemu-xhci", "isa-serial", "virtserialport", "virtio-mem-pci"}
)


class Writer:
    """Collects the elements of one domain. ``letters`` counts the disks of each prefix."""

    def __init__(self, parts: Parts, losses: list[Loss]) -> None:
        self.parts = parts
        self.losses = losses
        self.devices = Element("devices")
        self.letters: dict[str, int] = {}

    def add(self, tag: str, attributes: dict[str, str] | None = None) -> Element:
        return SubElement(self.devices, tag, attributes or {})

    def next_target(self, prefix: str) -> str:
        number = self.letters.get(prefix, 0)
        self.letters[prefix] = number + 1
        name = ""
        number += 1
        while number:
            number, rest = divmod(number - 1, 26)
            name = _LETTERS[rest] + name
        return prefix + name


def write(parts: Parts, binary: str, losses: list[Loss]) -> Element:
    writer = Writer(parts, losses)
    if binary:
        writer.add("emulator").text = binary
    for flag in parts.flags:
        if flag.name == "device":
            _device(writer, flag)
        elif flag.name == "vnc" and (path := _vnc_path(flag)):
            graphics = writer.add("graphics", {"type": "vnc", "socket": path})
            SubElement(graphics, "listen", {"type": "socket", "socket": path})
    _defaults(writer)
    return writer.devices


def _device(writer: Writer, flag: Flag) -> None:
    handler = _HANDLERS.get(flag.head.removesuffix("-non-transitional").removesuffix("-transitional"))
    if handler is not None:
        handler(writer, flag)
    elif flag.head not in _IMPLIED:
        writer.losses.append(Loss(flag.shown(), "there is no element for it"))


def _defaults(writer: Writer) -> None:
    """Elements that libvirt adds by itself when they are missing, and this machine does not have."""
    drivers = {flag.head for flag in writer.parts.flags if flag.name == "device"}
    if not any(driver.startswith("virtio-balloon") for driver in drivers):
        writer.add("memballoon", {"model": "none"})
    if not drivers & set(_VIDEO):
        video = writer.add("video")
        SubElement(video, "model", {"type": "none"})
    if "qemu-xhci" not in drivers:
        writer.add("controller", {"type": "usb", "model": "none"})
    for flag in writer.parts.devices("isa-serial"):
        serial = _socket(writer, "serial", flag)
        SubElement(serial, "target", {"type": "isa-serial", "port": flag.word("index", "0")})
    for flag in writer.parts.devices("virtserialport"):
        channel = _socket(writer, "channel", flag)
        SubElement(channel, "target", {"type": "virtio", "name": flag.word("name")})


def _socket(writer: Writer, tag: str, flag: Flag) -> Element:
    chardev = writer.parts.chardevs.get(flag.word("chardev"))
    element = writer.add(tag, {"type": "unix"})
    path = chardev.word("path") if chardev else ""
    SubElement(element, "source", {"mode": "bind", "path": path} if path else {"mode": "bind"})
    if chardev and (log := chardev.word("logfile")):
        SubElement(element, "log", {"file": log, "append": "on"})
    return element


def _disk(writer: Writer, flag: Flag) -> None:
    driver = flag.head.removesuffix("-non-transitional").removesuffix("-transitional")
    bus, kind = BUSES.get(driver) or BUSES[flag.head]
    top = writer.parts.nodes.get(flag.word("drive"))
    below = writer.parts.nodes.get(top.word("file")) if top else None
    bottom = below or top
    block = bottom is not None and bottom.word("driver") == "host_device"
    disk = writer.add("disk", {"type": "block" if block else "file", "device": kind})
    if top is not None and bottom is not None:
        cache = bottom.props.get("cache")
        direct = isinstance(cache, dict) and cache.get("direct") is True
        settings = {"name": "qemu", "type": top.word("driver", "raw")}
        settings["cache"] = "none" if direct else "writethrough" if flag.on("write-cache") is False else "writeback"
        settings |= {"error_policy": flag.word("werror").replace("enospc", "enospace")} if flag.word("werror") else {}
        settings |= {"io": bottom.word("aio")} if bottom.word("aio") else {}
        settings |= {"discard": "unmap"} if bottom.word("discard") == "unmap" else {}
        SubElement(disk, "driver", settings)
        SubElement(disk, "source", {"dev" if block else "file": bottom.word("filename")})
    SubElement(disk, "target", {"dev": writer.next_target(_PREFIXES[bus]), "bus": bus})
    if flag.on("share-rw"):
        SubElement(disk, "shareable")
    if kind == "cdrom" or (top is not None and top.on("read-only")):
        SubElement(disk, "readonly")
    if (serial := flag.word("serial")) and _SERIAL.fullmatch(serial):
        SubElement(disk, "serial").text = serial
    elif serial:
        writer.losses.append(Loss(f"serial {serial}", "libvirt takes letters, digits, blanks and _ . + - only"))
    _common(disk, flag)


def _common(element: Element, flag: Flag) -> None:
    if flag.number("bootindex") is not None:
        SubElement(element, "boot", {"order": str(flag.number("bootindex"))})
    name = flag.word("id")
    if name.startswith("ua-"):
        SubElement(element, "alias", {"name": name})
    if (match := _PORT.fullmatch(flag.word("bus"))) and flag.word("addr") == "0x0":
        place = {"type": "pci", "domain": "0x0000", "bus": f"0x{int(match[1]):02x}", "slot": "0x00", "function": "0x0"}
        SubElement(element, "address", place)


def _nic(writer: Writer, flag: Flag) -> None:
    netdev = writer.parts.netdevs.get(flag.word("netdev"))
    nic = writer.add("interface", {"type": "user"})
    if netdev is None or netdev.head != "user":
        shown = netdev.shown() if netdev else flag.shown()
        writer.losses.append(Loss(shown, "the interface is on libvirt's user network instead"))
    if mac := flag.word("mac"):
        SubElement(nic, "mac", {"address": mac})
    SubElement(nic, "model", {"type": NICS[flag.head]})
    if netdev is not None and netdev.word("net") not in ("", "10.0.2.0/24"):
        writer.losses.append(Loss(f"net={netdev.word('net')}", "libvirt's user network has QEMU's addresses"))
    elif netdev is not None and netdev.word("host"):
        text = "QEMU's gateway, 10.0.2.2, instead of KubeVirt's 10.0.2.1"
        writer.losses.append(Loss(f"addresses of {flag.word('id')}", text))
    _common(nic, flag)


def _controller(kind: str, model: str = "") -> Callable[[Writer, Flag], None]:
    def add(writer: Writer, flag: Flag) -> None:
        attributes = {"type": kind, "index": "0"} | ({"model": model} if model else {})
        _common(writer.add("controller", attributes), flag)

    return add


def _video(writer: Writer, flag: Flag) -> None:
    SubElement(writer.add("video"), "model", {"type": _VIDEO[flag.head], "heads": "1", "primary": "yes"})


def _tablet(writer: Writer, flag: Flag) -> None:
    bus = "usb" if flag.head.startswith("usb") else "virtio"
    element = writer.add("input", {"type": "tablet", "bus": bus})
    if flag.word("id").startswith("ua-"):
        SubElement(element, "alias", {"name": flag.word("id")})


def _rng(writer: Writer, flag: Flag) -> None:
    rng = writer.add("rng", {"model": "virtio"})
    SubElement(rng, "backend", {"model": "random"}).text = "/dev/urandom"
    _common(rng, flag)


def _balloon(writer: Writer, flag: Flag) -> None:
    attributes = {"model": "virtio"}
    if flag.on("free-page-reporting"):
        attributes["freePageReporting"] = "on"
    _common(writer.add("memballoon", attributes), flag)


def _watchdog(writer: Writer, flag: Flag) -> None:
    action = "reset"
    for other in writer.parts.flags:
        if other.name == "watchdog-action":
            action = other.text
        elif other.name == "action":
            action = other.word("watchdog", action)
    writer.add("watchdog", {"model": "i6300esb", "action": action})


def _tpm(writer: Writer, flag: Flag) -> None:
    tpm = writer.add("tpm", {"model": flag.head})
    backend = {"type": "emulator", "version": "2.0"} | ({"persistent_state": "yes"} if flag.head == "tpm-crb" else {})
    SubElement(tpm, "backend", backend)


def _sound(writer: Writer, flag: Flag) -> None:
    writer.add("sound", {"model": "ac97" if flag.head == "AC97" else "ich9"})


def _panic(writer: Writer, flag: Flag) -> None:
    if flag.head == "pvpanic-pci":
        writer.losses.append(Loss(flag.shown(), 'libvirt 9.1 or newer has <panic model="pvpanic"/>: add it by hand'))
    else:
        writer.add("panic", {"model": "isa"})


def _vsock(writer: Writer, flag: Flag) -> None:
    vsock = writer.add("vsock", {"model": "virtio"})
    SubElement(vsock, "cid", {"auto": "no", "address": flag.word("guest-cid", "3")})


def _filesystem(writer: Writer, flag: Flag) -> None:
    tag = flag.word("tag")
    chardev = writer.parts.chardevs.get(flag.word("chardev"))
    share = writer.add("filesystem", {"type": "mount"})
    SubElement(share, "driver", {"type": "virtiofs", "queue": flag.word("queue-size", "1024")})
    SubElement(share, "source", {"socket": chardev.word("path") if chardev else ""})
    SubElement(share, "target", {"dir": tag})
    writer.losses.append(Loss(flag.shown(), "virtiofsd is started by solovirt: libvirt waits for its socket"))


def _redirect(writer: Writer, flag: Flag) -> None:
    chardev = writer.parts.chardevs.get(flag.word("chardev"))
    device = writer.add("redirdev", {"bus": "usb", "type": "unix"})
    SubElement(device, "source", {"mode": "bind", "path": chardev.word("path") if chardev else ""})


def _host_pci(writer: Writer, flag: Flag) -> None:
    match = re.fullmatch(r"([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", flag.word("host"))
    if match is None:
        writer.losses.append(Loss(flag.shown(), "mediated devices, and those not found here, are not written"))
        return
    device = writer.add("hostdev", {"mode": "subsystem", "type": "pci", "managed": "no"})
    source = SubElement(device, "source")
    keys = ("domain", "bus", "slot", "function")
    SubElement(source, "address", {key: f"0x{part}" for key, part in zip(keys, match.groups(), strict=True)})


def _vnc_path(flag: Flag) -> str:
    text = flag.word("vnc", flag.head)
    return text.removeprefix("unix:") if text.startswith("unix:") else ""


_HANDLERS: dict[str, Callable[[Writer, Flag], None]] = {
    **dict.fromkeys(BUSES, _disk),
    **dict.fromkeys(NICS, _nic),
    **dict.fromkeys(_VIDEO, _video),
    **dict.fromkeys(("usb-tablet", "virtio-tablet-pci", "virtio-tablet"), _tablet),
    **dict.fromkeys(("tpm-tis", "tpm-crb"), _tpm),
    **dict.fromkeys(("ich9-intel-hda", "AC97"), _sound),
    **dict.fromkeys(("pvpanic", "pvpanic-pci"), _panic),
    "virtio-scsi-pci": _controller("scsi", "virtio-scsi"),
    "virtio-serial-pci": _controller("virtio-serial"),
    "virtio-rng-pci": _rng,
    "virtio-balloon-pci": _balloon,
    "i6300esb": _watchdog,
    "vhost-vsock-pci": _vsock,
    "vhost-user-fs-pci": _filesystem,
    "usb-redir": _redirect,
    "vfio-pci": _host_pci,
}
