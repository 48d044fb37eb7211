"""-device, -netdev and the old short forms (-nic, -vga, -usbdevice, ...) into the manifest's devices."""

from __future__ import annotations

from collections.abc import Callable

from solovirt.kit.jsontypes import Json, JsonObject
from solovirt.translate import drives, passthrough
from solovirt.translate.draft import Draft, quantity
from solovirt.translate.parts import Parts
from solovirt.translate.words import Flag, key_values, number, size

Handler = Callable[[Draft, Parts, Flag], None]
DEVICES = "domain.devices"
NICS = {
    "virtio-net-pci": "virtio",
    "virtio-net-pci-non-transitional": "virtio",
    "virtio-net-pci-transitional": "virtio",
    "e1000": "e1000",
    "e1000-82540em": "e1000",
    "e1000e": "e1000e",
    "igb": "igb",
    "rtl8139": "rtl8139",
    "ne2k_pci": "ne2k_pci",
    "pcnet": "pcnet",
}
_VIDEO = {
    "VGA": "vga",
    "bochs-display": "bochs",
    "cirrus-vga": "cirrus",
    "virtio-vga": "virtio",
    "virtio-gpu-pci": "virtio",
    "ramfb": "ramfb",
    "std": "vga",
    "cirrus": "cirrus",
    "virtio": "virtio",
}
_OWN = (
    "pcie-root-port", "pcie-pci-bridge", "pci-bridge", "ioh3420", "i82801b11-bridge", "qemu-xhci", "nec-usb-xhci",
    "usb-ehci", "ich9-usb-ehci1", "ich9-usb-uhci1", "ich9-usb-uhci2", "ich9-usb-uhci3", "piix3-usb-uhci", "ich9-ahci",
    "ahci", "virtio-scsi-pci", "virtio-scsi-pci-non-transitional", "virtio-scsi-pci-transitional",
    "virtio-serial-pci", "virtio-serial-pci-non-transitional", "virtio-serial-pci-transitional", "usb-hub", "usb-bot",
)  # fmt: skip
"""Controllers: solovirt adds the ones that the devices need."""


def _own(draft: Draft, parts: Parts, flag: Flag) -> None:
    """What solovirt makes by itself."""


def _nic(draft: Draft, parts: Parts, flag: Flag) -> None:
    netdev = parts.netdevs.get(flag.word("netdev"))
    parts.use(netdev)
    wish = flag.word("id").removeprefix("ua-") or flag.word("netdev") or "default"
    nic = _interface(draft, wish, NICS[flag.head], flag)
    if (address := drives.place(flag)) and nic["model"] in ("virtio", "e1000e", "igb"):
        nic["pciAddress"] = address
    if (index := flag.number("acpi-index")) is not None:
        nic["acpiIndex"] = index
    if (order := flag.number("bootindex")) is not None:
        nic["bootOrder"] = max(order, 1)
    if flag.on("mq"):
        draft.put(f"{DEVICES}.networkInterfaceMultiqueue", True)
    _network(draft, nic, netdev)


def _interface(draft: Draft, wish: str, model: str, flag: Flag) -> JsonObject:
    nic: JsonObject = {"name": draft.free_name(wish, f"{DEVICES}.interfaces"), "model": model}
    if mac := flag.word("mac") or flag.word("macaddr"):
        nic["macAddress"] = mac
    draft.add(f"{DEVICES}.interfaces", nic)
    return nic


def _network(draft: Draft, nic: JsonObject, netdev: Flag | None) -> None:
    """User-mode networks become the pod network; everything else a network attachment of its own."""
    name, kind = str(nic["name"]), netdev.head if netdev else "user"
    has_pod = any(isinstance(net, dict) and "pod" in net for net in draft.items("networks"))
    passt = kind == "passt" or (
        kind == "vhost-user" and netdev is not None and netdev.word("chardev") == f"charnet-{name}"
    )
    if (passt or kind in ("user", "slirp")) and not has_pod:
        nic["passtBinding" if passt else "masquerade"] = {}
        pod: JsonObject = {}
        if netdev and netdev.word("net") not in ("", "10.0.2.0/24"):
            pod["vmNetworkCIDR"] = netdev.word("net")
        draft.add("networks", {"name": name, "pod": pod})
        _forwards(draft, nic, netdev)
        _dhcp(nic, netdev)
        return
    nic["bridge"] = {}
    target = (netdev.word("br") or netdev.word("ifname") if netdev else "") or name
    draft.add("networks", {"name": name, "multus": {"networkName": target}})
    shown = netdev.shown() if netdev else f"interface {name}"
    draft.lose(shown, f'becomes the network attachment "{target}", which has to be defined')


def _dhcp(nic: JsonObject, netdev: Flag | None) -> None:
    names = {"bootfile": "bootFileName", "tftp-server-name": "tftpServerName"}
    told: JsonObject = {field: netdev.word(key) for key, field in names.items() if netdev and netdev.word(key)}
    if told:
        nic["dhcpOptions"] = told


def _forwards(draft: Draft, nic: JsonObject, netdev: Flag | None) -> None:
    given = netdev.props.get("hostfwd") if netdev else None
    rules = (
        [str(rule.get("str", "")) if isinstance(rule, dict) else str(rule) for rule in given]
        if isinstance(given, list)
        else []
    )
    if isinstance(given, str):
        rules = [given]
    ports: list[Json] = []
    for rule in rules:
        protocol, _, rest = rule.partition(":")
        guest = rest.rpartition(":")[2] or rest.rpartition("-")[2]
        if (port := number(guest)) is not None:
            ports.append({"port": port, "protocol": (protocol or "tcp").upper()})
        draft.lose(
            f"hostfwd={rule}", "the port of the guest is in `ports`; the host's port is not chosen by a manifest"
        )
    if ports:
        nic["ports"] = ports


def _video(draft: Draft, parts: Parts, flag: Flag) -> None:
    kind = _VIDEO[flag.head]
    efi = "efi" in str(draft.spec.get("domain", ""))
    if kind != ("bochs" if efi else "vga"):
        draft.put(f"{DEVICES}.video.type", kind)


def _vga(draft: Draft, parts: Parts, flag: Flag) -> None:
    if flag.text in _VIDEO:
        _video(draft, parts, Flag("vga", flag.text, flag.text))
    elif flag.text == "none":
        return
    else:
        draft.lose(flag.shown(), "display adapters are vga, bochs, cirrus, virtio and ramfb")


def _tablet(draft: Draft, parts: Parts, flag: Flag) -> None:
    name = draft.free_name(flag.word("id").removeprefix("ua-") or "tablet", f"{DEVICES}.inputs")
    draft.add(f"{DEVICES}.inputs", {"name": name, "type": "tablet", "bus": "usb" if "usb" in flag.head else "virtio"})


def _usbdevice(draft: Draft, parts: Parts, flag: Flag) -> None:
    if flag.text == "tablet":
        _tablet(draft, parts, Flag("device", flag.text, "usb-tablet"))
    else:
        draft.lose(flag.shown(), "KubeVirt's input devices are tablets")


def _rng(draft: Draft, parts: Parts, flag: Flag) -> None:
    parts.use(parts.objects.get(flag.word("rng")))
    draft.put(f"{DEVICES}.rng", {})


def _watchdog(draft: Draft, parts: Parts, flag: Flag) -> None:
    action = "reset"
    for other in parts.flags:
        if other.name == "watchdog-action":
            action = other.text
        elif other.name == "action" and other.word("watchdog"):
            action = other.word("watchdog")
    name = flag.word("id").removeprefix("ua-") or "watchdog"
    if action not in ("reset", "poweroff", "shutdown"):
        draft.lose(f"watchdog action {action}", "KubeVirt knows reset, poweroff and shutdown")
        action = "reset"
    draft.put(f"{DEVICES}.watchdog", {"name": name, "i6300esb": {"action": action}})


def _tpm(draft: Draft, parts: Parts, flag: Flag) -> None:
    device = parts.tpmdevs.get(flag.word("tpmdev"))
    parts.use(device, parts.chardevs.get(device.word("chardev")) if device else None)
    if device and device.head == "passthrough":
        draft.lose(device.shown(), "the host's TPM is not passed through: the guest gets an emulated one")
    draft.put(f"{DEVICES}.tpm", {"persistent": True} if flag.head == "tpm-crb" else {})


def _sound(draft: Draft, parts: Parts, flag: Flag) -> None:
    model = "ac97" if flag.head == "AC97" else "ich9"
    draft.put(f"{DEVICES}.sound", {"name": flag.word("id").removeprefix("ua-") or "audio", "model": model})


def _panic(draft: Draft, parts: Parts, flag: Flag) -> None:
    draft.add(f"{DEVICES}.panicDevices", {"model": "pvpanic" if flag.head == "pvpanic-pci" else "isa"})


def _vsock(draft: Draft, parts: Parts, flag: Flag) -> None:
    draft.put(f"{DEVICES}.autoattachVSOCK", True)
    draft.note(f"the guest's vsock address was {flag.word('guest-cid') or 'given'}; solovirt gives every VM its own")


def _redirect(draft: Draft, parts: Parts, flag: Flag) -> None:
    parts.use(parts.chardevs.get(flag.word("chardev")))
    draft.put(f"{DEVICES}.clientPassthrough", {})


def _filesystem(draft: Draft, parts: Parts, flag: Flag) -> None:
    chardev = parts.chardevs.get(flag.word("chardev"))
    parts.use(chardev)
    name = draft.free_name(flag.word("tag") or "share", f"{DEVICES}.filesystems")
    draft.add(f"{DEVICES}.filesystems", {"name": name, "virtiofs": {}})
    draft.add("volumes", {"name": name, "persistentVolumeClaim": {"claimName": name}})
    draft.lose(
        flag.shown(), f"which directory virtiofsd shares is not on QEMU's command line: volume {name} is a claim"
    )


def _mem(draft: Draft, parts: Parts, flag: Flag) -> None:
    parts.use(parts.objects.get(flag.word("memdev")))
    asked = flag.number("requested-size") or size(flag.word("requested-size"))
    if asked:
        draft.lose(flag.shown(), f"{quantity(asked)} of plugged memory: raise memory.guest by it")


def _serial_port(draft: Draft, parts: Parts, flag: Flag) -> None:
    chardev = parts.chardevs.get(flag.word("chardev"))
    parts.use(chardev)
    name = flag.word("name")
    if name == "org.github.vhostmd.1":
        draft.put(f"{DEVICES}.downwardMetrics", {})
    elif name not in ("org.qemu.guest_agent.0", ""):
        draft.lose(flag.shown(), "solovirt has the guest agent's channel; others have no field")
    elif not name:
        draft.lose(flag.shown(), "a virtio console: the manifest has the serial console")


def _serial(draft: Draft, parts: Parts, flag: Flag) -> None:
    chardev = parts.chardevs.get(flag.word("chardev"))
    parts.use(chardev)
    if chardev is not None and chardev.word("id") == "charserial0" and not chardev.word("logfile"):
        draft.put(f"{DEVICES}.logSerialConsole", False)
    index = flag.number("index")
    if index:
        draft.lose(flag.shown(), "KubeVirt has one serial port")


def _nic_flag(draft: Draft, parts: Parts, flag: Flag) -> None:
    """``-nic user,model=e1000`` is a netdev and a device in one."""
    if flag.head == "none":
        draft.put(f"{DEVICES}.autoattachPodInterface", False)
        return
    model = NICS.get(flag.word("model", "e1000e"), "") or NICS.get(f"{flag.word('model')}-net-pci", "virtio")
    nic = _interface(draft, flag.word("id") or "default", model, flag)
    _network(draft, nic, flag)


def _net(draft: Draft, parts: Parts, flag: Flag) -> None:
    """``-net nic -net user``: QEMU's oldest form, one NIC on one hub."""
    if flag.head == "none":
        draft.put(f"{DEVICES}.autoattachPodInterface", False)
    elif flag.head == "nic":
        backend = next((other for other in parts.flags if other.name == "net" and other.head != "nic"), None)
        model = NICS.get(flag.word("model"), "virtio" if "virtio" in flag.word("model") else "e1000")
        nic = _interface(draft, "default", model, flag)
        _network(draft, nic, backend)


def _vnc(draft: Draft, parts: Parts, flag: Flag) -> None:
    _, props = key_values(flag.text, head=True)
    if "password" in props or "password-secret" in props or "tls-creds" in props:
        draft.lose("-vnc with password or TLS", "the display is a unix socket that only its owner can open")


def _spice(draft: Draft, parts: Parts, flag: Flag) -> None:
    draft.lose(flag.shown(), "KubeVirt has VNC, no SPICE")


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(drives.BUSES, drives.device),
    **dict.fromkeys(NICS, _nic),
    **dict.fromkeys(("VGA", "bochs-display", "cirrus-vga", "virtio-vga", "virtio-gpu-pci", "ramfb"), _video),
    **dict.fromkeys(("usb-tablet", "virtio-tablet-pci", "virtio-tablet"), _tablet),
    **dict.fromkeys(("virtio-rng-pci", "virtio-rng-pci-non-transitional", "virtio-rng-pci-transitional"), _rng),
    **dict.fromkeys(("tpm-tis", "tpm-crb"), _tpm),
    **dict.fromkeys(("ich9-intel-hda", "intel-hda", "AC97"), _sound),
    **dict.fromkeys(("hda-duplex", "hda-output", "hda-micro"), _own),
    **dict.fromkeys(("pvpanic", "pvpanic-pci"), _panic),
    **dict.fromkeys(("vhost-vsock-pci", "vhost-vsock-pci-non-transitional", "vhost-vsock-pci-transitional"), _vsock),
    **dict.fromkeys(("vhost-user-fs-pci",), _filesystem),
    **dict.fromkeys(("vfio-pci", "vfio-pci-nohotplug", "usb-host"), passthrough.device),
    **dict.fromkeys(("virtserialport", "virtconsole"), _serial_port),
    **dict.fromkeys(("isa-serial", "pci-serial"), _serial),
    **dict.fromkeys(
        ("virtio-balloon-pci", "virtio-balloon-pci-non-transitional", "virtio-balloon-pci-transitional"), _own
    ),
    **dict.fromkeys(_OWN, _own),
    "i6300esb": _watchdog,
    "usb-redir": _redirect,
    "virtio-mem-pci": _mem,
}
"""By driver of -device."""

FLAGS: dict[str, Handler] = {
    "nic": _nic_flag,
    "net": _net,
    "vga": _vga,
    "vnc": _vnc,
    "spice": _spice,
    "usbdevice": _usbdevice,
    "usb": _own,
    "serial": _own,
    "parallel": _own,
    "audiodev": _own,
    "watchdog-action": _own,
}
