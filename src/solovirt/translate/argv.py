"""A QEMU command line into a VirtualMachine manifest.

Everything that is not taken over is in the losses; what solovirt puts there by itself (controllers, root ports, its
own sockets) is not one. Source: the way back of kubevirt's converter and of ``solovirt.compile``.
"""

from __future__ import annotations

from collections.abc import Sequence

from solovirt.translate import compute, devices, drives, whole
from solovirt.translate.draft import Draft, quantity
from solovirt.translate.parts import Parts
from solovirt.translate.words import Flag, parse, size

_DRIVE_FLAGS = frozenset({"drive", "cdrom", "hda", "hdb", "hdc", "hdd", "fda", "fdb", "sd", "pflash", "mtdblock"})
_LINKED = frozenset({"blockdev", "netdev", "chardev", "object", "tpmdev"})
"""Flags that mean something only to a device that names them."""


def read(words: Sequence[str], name: str = "") -> Draft:
    """The manifest of a command line, given as words. Raises ``BadRequest`` for one that cannot be read."""
    _, flags = parse(words)
    draft = Draft()
    parts = Parts.of(flags)
    _firmware_first(draft, parts)
    for flag in flags:
        _one(draft, parts, flag)
    for flag in flags:
        if flag.name in _DRIVE_FLAGS and not parts.is_used(flag):
            drives.unused(draft, parts, flag)
    for flag in flags:
        if flag.name in _LINKED and not parts.is_used(flag):
            _leftover(draft, parts, flag)
    _absent(draft, parts)
    whole.read(draft, parts)
    draft.name = name or draft.name
    return draft


def _one(draft: Draft, parts: Parts, flag: Flag) -> None:
    if flag.name in compute.HANDLERS:
        compute.HANDLERS[flag.name](draft, flag)
    elif flag.name == "device":
        handler = devices.HANDLERS.get(flag.head)
        if handler is None:
            draft.lose(flag.shown(), f"a manifest has no device {flag.head or 'of that kind'}")
        else:
            handler(draft, parts, flag)
    elif flag.name in devices.FLAGS:
        devices.FLAGS[flag.name](draft, parts, flag)
    elif flag.name == "numa":
        whole.numa(draft, flag)
    elif flag.name == "acpitable":
        draft.lose(flag.shown(), "ACPI tables come from secrets: firmware.acpi names their volumes")
    elif flag.name not in _LINKED and flag.name not in _DRIVE_FLAGS:
        draft.lose(flag.shown(), "a manifest has no field for it")


def _firmware_first(draft: Draft, parts: Parts) -> None:
    """Secure boot shows in -machine smm, the firmware in flash nodes or drives."""
    for flag in parts.flags:
        if flag.name != "machine":
            continue
        if flag.on("smm"):
            draft.put("domain.features.smm.enabled", True)
        for key in ("pflash0", "pflash1"):
            node = parts.nodes.get(flag.word(key))
            while node is not None:
                parts.use(node)
                below = node.props.get("file")
                path = node.word("filename") or (str(below.get("filename", "")) if isinstance(below, dict) else "")
                if path:
                    drives.firmware(draft, path)
                node = parts.nodes.get(below) if isinstance(below, str) else None


def _leftover(draft: Draft, parts: Parts, flag: Flag) -> None:
    """Backends that no device named."""
    name = flag.word("id")
    if flag.name == "object":
        _object(draft, flag)
    elif flag.name != "chardev" or not _is_connected(parts, name):
        draft.lose(flag.shown(), "nothing on the command line uses it")


def _is_connected(parts: Parts, chardev: str) -> bool:
    return any(flag.word("chardev") == chardev or flag.text == f"chardev:{chardev}" for flag in parts.flags)


def _object(draft: Draft, flag: Flag) -> None:
    kind = flag.head
    if kind.startswith("memory-backend-"):
        _backend(draft, flag)
    elif kind in whole.ENCRYPTION:
        whole.encryption(draft, flag)
    elif kind not in ("iothread", "secret", "rng-random", "rng-builtin"):
        draft.lose(flag.shown(), "a manifest has no field for it")


def _backend(draft: Draft, flag: Flag) -> None:
    huge = flag.on("hugetlb") or flag.word("mem-path").startswith("/dev/hugepages")
    if huge:
        page = flag.number("hugetlbsize") or size(flag.word("hugetlbsize") or "2M") or 2 << 20
        draft.put("domain.memory.hugepages.pageSize", quantity(page))
    elif flag.word("mem-path"):
        draft.lose(flag.shown(), "memory in a file: the guest's memory will be anonymous")


def _absent(draft: Draft, parts: Parts) -> None:
    """What KubeVirt adds by default and this machine did not have."""
    drivers = {flag.head for flag in parts.flags if flag.name == "device"}
    if not any(driver.startswith("virtio-balloon") for driver in drivers):
        draft.put("domain.devices.autoattachMemBalloon", False)
    if parts.has("nodefaults"):
        if not drivers & {"isa-serial", "pci-serial"} and not parts.has("serial"):
            draft.put("domain.devices.autoattachSerialConsole", False)
        if not parts.has("vnc") and not parts.has("vga") and not parts.has("spice") and not _shows(drivers):
            draft.put("domain.devices.autoattachGraphicsDevice", False)
    if not draft.items("domain.devices.interfaces"):
        draft.put("domain.devices.autoattachPodInterface", False)
    domain = draft.spec["domain"]
    if isinstance(domain, dict) and "memory" not in domain:
        draft.put("domain.memory.guest", "128Mi")
        draft.note("the command line gives no memory: QEMU's default of 128 MiB is in the manifest")


def _shows(drivers: set[str]) -> bool:
    return bool(drivers & {"VGA", "bochs-display", "cirrus-vga", "virtio-vga", "virtio-gpu-pci", "ramfb", "qxl-vga"})
