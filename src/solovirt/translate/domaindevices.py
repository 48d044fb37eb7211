"""The ``<devices>`` of a libvirt domain. Source: libvirt's formatdomain."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from solovirt.kit.jsontypes import JsonObject
from solovirt.translate import drives
from solovirt.translate.draft import Draft
from solovirt.translate.words import number

DEVICES = "domain.devices"
_NIC_MODELS = ("virtio", "e1000", "e1000e", "igb", "rtl8139", "ne2k_pci", "pcnet")
_VIDEO = {"vga": "vga", "bochs": "bochs", "cirrus": "cirrus", "virtio": "virtio", "ramfb": "ramfb"}
_BUSES = {"virtio": "virtio", "sata": "sata", "ide": "sata", "scsi": "scsi", "usb": "usb"}
_OWN = frozenset({"emulator", "controller", "audio", "hub", "console"})


def read(draft: Draft, devices: Element) -> None:
    for child in devices:
        handler = _HANDLERS.get(child.tag)
        if handler is not None:
            handler(draft, child)
        elif child.tag not in _OWN:
            draft.lose(f"<{child.tag}>", "a manifest has no device of that kind")
    tags = {child.tag for child in devices}
    balloon = devices.find("memballoon")
    if balloon is not None and balloon.get("model") == "none":
        draft.put(f"{DEVICES}.autoattachMemBalloon", False)
    if not tags & {"graphics", "video"}:
        draft.put(f"{DEVICES}.autoattachGraphicsDevice", False)
    if not tags & {"serial", "console"}:
        draft.put(f"{DEVICES}.autoattachSerialConsole", False)
    if "interface" not in tags:
        draft.put(f"{DEVICES}.autoattachPodInterface", False)


def _get(element: Element, path: str, key: str) -> str:
    found = element.find(path) if path else element
    return (found.get(key) or "") if found is not None else ""


def _disk(draft: Draft, element: Element) -> None:
    kind = element.get("device") or "disk"
    if kind == "floppy":
        draft.lose('<disk device="floppy">', "KubeVirt has no floppy disks")
        return
    bus = _get(element, "target", "bus") or "virtio"
    alias = _get(element, "alias", "name").removeprefix("ua-")
    path = _source_path(element)
    stem = path.rpartition("/")[2].partition(".")[0]
    name = draft.free_name(alias or stem or _get(element, "target", "dev"), f"{DEVICES}.disks")
    target = {"cdrom": "cdrom", "lun": "lun"}.get(kind, "disk")
    inner: JsonObject = {"bus": _BUSES.get(bus, "sata")}
    if bus not in _BUSES:
        draft.lose(f'bus="{bus}" of {name}', "it becomes sata")
    if target == "disk" and element.find("readonly") is not None and inner["bus"] != "sata":
        inner["readonly"] = True
    if inner["bus"] == "virtio" and (address := _address(element)):
        inner["pciAddress"] = address
    disk: JsonObject = {"name": name, target: inner}
    _disk_details(draft, element, disk)
    draft.add(f"{DEVICES}.disks", disk)
    if path:
        source = drives.Source(
            kind="host_device" if element.get("type") == "block" else "file",
            path=path,
            format=_get(element, "driver", "type") or "raw",
        )
        draft.add("volumes", drives.volume(draft, name, source))
    elif target != "cdrom":
        draft.lose(f"<disk> {name}", f"source {element.get('type')}: the claim {name} must get its content elsewhere")
        draft.add("volumes", {"name": name, "persistentVolumeClaim": {"claimName": name}})


def _source_path(element: Element) -> str:
    return _get(element, "source", "file") or _get(element, "source", "dev")


def _disk_details(draft: Draft, element: Element, disk: JsonObject) -> None:
    if (order := number(_get(element, "boot", "order"))) is not None:
        disk["bootOrder"] = order
    serial = element.find("serial")
    if serial is not None and serial.text:
        disk["serial"] = serial.text.strip()
    if element.find("shareable") is not None:
        disk["shareable"] = True
    cache = _get(element, "driver", "cache")
    if cache in ("none", "writethrough", "writeback"):
        disk["cache"] = cache
    elif cache:
        draft.lose(f'cache="{cache}" of {disk["name"]}', "KubeVirt's modes are none, writethrough and writeback")
    if (mode := _get(element, "driver", "io")) in ("native", "threads"):
        disk["io"] = mode
    policy = {"stop": "", "report": "report", "ignore": "ignore", "enospace": "enospace"}.get(
        _get(element, "driver", "error_policy"), ""
    )
    if policy:
        disk["errorPolicy"] = policy
    keys = {"logical": "logical_block_size", "physical": "physical_block_size"}
    sizes = {level: found for level, key in keys.items() if (found := number(_get(element, "blockio", key)))}
    if sizes:
        disk["blockSize"] = {"custom": {**sizes}}
    for tag in ("iotune", "encryption", "backenddomain", "throttlefilters", "wwn", "vendor", "product"):
        if element.find(tag) is not None:
            draft.lose(f"<disk><{tag}> of {disk['name']}", "a manifest has no field for it")


def _interface(draft: Draft, element: Element) -> None:
    kind = element.get("type") or ""
    alias = _get(element, "alias", "name").removeprefix("ua-")
    where = f"{DEVICES}.interfaces"
    name = draft.free_name(alias if alias and not alias.startswith("net") else "default", where)
    model = _get(element, "model", "type") or "virtio"
    model = "virtio" if model.startswith("virtio") else model
    if model not in _NIC_MODELS:
        draft.lose(f'<model type="{model}"> of {name}', "it becomes virtio")
        model = "virtio"
    nic: JsonObject = {"name": name, "model": model}
    if mac := _get(element, "mac", "address"):
        nic["macAddress"] = mac
    if (order := number(_get(element, "boot", "order"))) is not None:
        nic["bootOrder"] = order
    if _get(element, "link", "state") == "down":
        nic["state"] = "down"
    if model in ("virtio", "e1000e", "igb") and (address := _address(element)):
        nic["pciAddress"] = address
    has_pod = any(isinstance(net, dict) and "pod" in net for net in draft.items("networks"))
    network = _get(element, "source", "network")
    if not has_pod and (kind == "user" or (kind == "network" and network == "default")):
        nic["masquerade"] = {}
        draft.add("networks", {"name": name, "pod": {}})
    else:
        nic["bridge"] = {}
        target = network or _get(element, "source", "bridge") or _get(element, "source", "dev") or name
        draft.add("networks", {"name": name, "multus": {"networkName": target}})
        draft.lose(f'<interface type="{kind}"> {target}', f'it becomes the network attachment "{target}"')
    draft.add(where, nic)


def _address(element: Element) -> str:
    """Of a device in slot 0 of a root port, whose bus number is the port's."""
    found = element.find("address")
    if found is None or found.get("type") != "pci":
        return ""
    try:
        domain, bus, slot, function = (int(found.get(key) or "0", 0) for key in ("domain", "bus", "slot", "function"))
    except ValueError:
        return ""
    return f"0000:{bus:02x}:00.0" if (domain, slot, function) == (0, 0, 0) and 0 < bus < 32 else ""


def _serial(draft: Draft, element: Element) -> None:
    if (element.find("target") is not None) and _get(element, "target", "port") not in ("", "0"):
        draft.lose(f'<serial port="{_get(element, "target", "port")}">', "KubeVirt has one serial port")


def _channel(draft: Draft, element: Element) -> None:
    name = _get(element, "target", "name")
    if name == "org.github.vhostmd.1":
        draft.put(f"{DEVICES}.downwardMetrics", {})
    elif name != "org.qemu.guest_agent.0":
        draft.lose(f"<channel> {name}", "solovirt has the guest agent's channel; others have no field")


def _input(draft: Draft, element: Element) -> None:
    kind, bus = element.get("type") or "", element.get("bus") or ""
    if kind == "tablet":
        name = draft.free_name(_get(element, "alias", "name").removeprefix("ua-") or "tablet", f"{DEVICES}.inputs")
        draft.add(f"{DEVICES}.inputs", {"name": name, "type": "tablet", "bus": bus if bus == "virtio" else "usb"})
    elif bus != "ps2":
        draft.lose(f'<input type="{kind}" bus="{bus}">', "KubeVirt's input devices are tablets")


def _tpm(draft: Draft, element: Element) -> None:
    if _get(element, "backend", "type") == "passthrough":
        draft.lose('<tpm> backend "passthrough"', "the guest gets an emulated one")
    draft.put(f"{DEVICES}.tpm", {"persistent": True})


def _graphics(draft: Draft, element: Element) -> None:
    if element.get("type") != "vnc":
        draft.lose(f'<graphics type="{element.get("type")}">', "KubeVirt has VNC, on a unix socket")
    elif element.get("passwd"):
        draft.lose("<graphics> password", "the display is a unix socket that only its owner can open")


def _video(draft: Draft, element: Element) -> None:
    kind = _get(element, "model", "type")
    if kind in _VIDEO:
        draft.put(f"{DEVICES}.video.type", _VIDEO[kind])
    elif kind == "none":
        draft.put(f"{DEVICES}.autoattachGraphicsDevice", False)
    elif kind:
        draft.lose(f'<video> model "{kind}"', "display adapters are vga, bochs, cirrus, virtio and ramfb")


def _sound(draft: Draft, element: Element) -> None:
    model = {"ich6": "ich9", "ich9": "ich9", "ac97": "ac97"}.get(element.get("model") or "")
    if model is None:
        draft.lose(f'<sound model="{element.get("model")}">', "KubeVirt has ich9 and ac97")
    else:
        draft.put(f"{DEVICES}.sound", {"name": "audio", "model": model})


def _rng(draft: Draft, element: Element) -> None:
    draft.put(f"{DEVICES}.rng", {})


def _watchdog(draft: Draft, element: Element) -> None:
    action = element.get("action") or "reset"
    if element.get("model") != "i6300esb" or action not in ("reset", "poweroff", "shutdown"):
        draft.lose(f'<watchdog model="{element.get("model")}" action="{action}">', "KubeVirt has i6300esb with others")
    if element.get("model") == "i6300esb":
        known = action if action in ("reset", "poweroff", "shutdown") else "reset"
        draft.put(f"{DEVICES}.watchdog", {"name": "watchdog", "i6300esb": {"action": known}})


def _panic(draft: Draft, element: Element) -> None:
    draft.add(f"{DEVICES}.panicDevices", {"model": element.get("model") or "isa"})


def _vsock(draft: Draft, element: Element) -> None:
    draft.put(f"{DEVICES}.autoattachVSOCK", True)


def _filesystem(draft: Draft, element: Element) -> None:
    directory = _get(element, "source", "dir")
    name = draft.free_name(_get(element, "target", "dir") or "share", f"{DEVICES}.filesystems")
    if _get(element, "driver", "type") != "virtiofs":
        draft.lose(f"<filesystem> {directory}", "it becomes a virtiofs share")
    draft.add(f"{DEVICES}.filesystems", {"name": name, "virtiofs": {}})
    draft.add("volumes", {"name": name, "persistentVolumeClaim": {"claimName": name}})
    draft.lose(f"<filesystem> source {directory}", f"the share {name} is the claim {name}")


def _hostdev(draft: Draft, element: Element) -> None:
    kind = element.get("type") or ""
    name = draft.free_name(_get(element, "alias", "name").removeprefix("ua-") or "hostdevice", f"{DEVICES}.hostDevices")
    draft.add(f"{DEVICES}.hostDevices", {"name": name, "deviceName": f"example.com/{name}"})
    draft.lose(f'<hostdev type="{kind}">', f"permit the device under the resource name example.com/{name}")


def _redirdev(draft: Draft, element: Element) -> None:
    draft.put(f"{DEVICES}.clientPassthrough", {})


def _memory_device(draft: Draft, element: Element) -> None:
    draft.lose(f'<memory model="{element.get("model")}">', "memory grows up to memory.maxGuest through virtio-mem")


def _balloon(draft: Draft, element: Element) -> None:
    """Looked at in ``read``: its absence means the default."""


_HANDLERS: dict[str, Callable[[Draft, Element], None]] = {
    "disk": _disk,
    "interface": _interface,
    "serial": _serial,
    "channel": _channel,
    "input": _input,
    "tpm": _tpm,
    "graphics": _graphics,
    "video": _video,
    "sound": _sound,
    "rng": _rng,
    "watchdog": _watchdog,
    "panic": _panic,
    "vsock": _vsock,
    "filesystem": _filesystem,
    "hostdev": _hostdev,
    "redirdev": _redirdev,
    "memory": _memory_device,
    "memballoon": _balloon,
}
