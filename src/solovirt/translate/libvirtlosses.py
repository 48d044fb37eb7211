"""What of a command line the domain of ``libvirt`` does not say: one loss for each, so that nothing goes silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from solovirt.translate.draft import Loss
from solovirt.translate.parts import Parts
from solovirt.translate.words import Flag

_DISK_KEYS = {
    "iothread": "I/O threads are not written",
    "iothread-vq-mapping": "I/O threads are not written",
    "num-queues": "the number of queues is libvirt's",
    "logical_block_size": "block sizes are not written",
    "physical_block_size": "block sizes are not written",
    "discard_granularity": "block sizes are not written",
}
_NIC_KEYS = {
    "acpi-index": "the index is not written",
    "mq": "the number of queues is libvirt's",
    "host_mtu": "the MTU is the network's",
}
_KEYS = {**_DISK_KEYS, **_NIC_KEYS, "iommu_platform": "encrypted guests are not written"}
_OBJECTS = {
    "iothread": "I/O threads are not written",
    "pr-manager-helper": "reservations are not written",
    "sev-guest": "encrypted guests are not written",
    "sev-snp-guest": "encrypted guests are not written",
    "tdx-guest": "encrypted guests are not written",
}
_MACHINE = {
    ("graphics", False): "firmware on the serial port is not written",
    ("mem-merge", False): "libvirt merges memory as its host is set",
    ("pit", False): "libvirt cannot leave out the timer",
    ("hpet", True): "libvirt's default for the timer is taken",
    ("smm", False): "libvirt's default is taken",
}
_CPU = ("hv-crash", "kvm-hint-dedicated", "hv-tlbflush-direct", "hv-tlbflush-ext")
_WRITTEN_GLOBALS = ("kvm-pit.lost_tick_policy", "cfi.pflash01", "driver=cfi.pflash01", "ICH9-LPC")


def unsaid(parts: Parts) -> list[Loss]:
    return list(dict.fromkeys(loss for flag in parts.flags for loss in _of(parts, flag)))


def _of(parts: Parts, flag: Flag) -> Iterator[Loss]:
    if flag.name == "device":
        return _device(parts, flag)
    handler = _HANDLERS.get(flag.name)
    return handler(flag) if handler is not None else iter(())


def _machine(flag: Flag) -> Iterator[Loss]:
    for (key, state), why in _MACHINE.items():
        if flag.on(key) is state:
            yield Loss(f"-machine {key}={flag.word(key)}", why)


def _cpu(flag: Flag) -> Iterator[Loss]:
    for key in _CPU:
        if flag.on(key):
            yield Loss(f"-cpu {key}=on", "the domain has no element for it")


def _object(flag: Flag) -> Iterator[Loss]:
    if flag.head in _OBJECTS:
        yield Loss(f"-object {flag.head},id={flag.word('id')}", _OBJECTS[flag.head])
    elif flag.word("policy") == "bind":
        yield Loss(flag.shown(), "nodes of the host are not written: libvirt's numatune says them")


def _numa(flag: Flag) -> Iterator[Loss]:
    if flag.word("nodeid") not in ("", "0"):
        yield Loss(flag.shown(), "guest NUMA nodes are not written")


def _overcommit(flag: Flag) -> Iterator[Loss]:
    if flag.on("mem-lock"):
        yield Loss("-overcommit mem-lock=on", "locked memory is not written")


def _global(flag: Flag) -> Iterator[Loss]:
    if not flag.text.startswith(_WRITTEN_GLOBALS):
        yield Loss(flag.shown(), "QEMU's global properties have no element")


def _table(flag: Flag) -> Iterator[Loss]:
    yield Loss(flag.shown(), "ACPI tables are not written")


def _clock(flag: Flag) -> Iterator[Loss]:
    if flag.word("base", "utc") != "utc":
        yield Loss(
            f"-rtc base={flag.word('base')}", "the domain's clock is UTC: offset and time zone are the manifest's"
        )
    if flag.word("clock"):
        yield Loss(f"-rtc clock={flag.word('clock')}", "what the clock follows is not written")
    if flag.word("driftfix") == "none":
        yield Loss("-rtc driftfix=none", "libvirt's default is the same")


def _device(parts: Parts, flag: Flag) -> Iterator[Loss]:
    name = flag.word("id") or flag.head
    for key, why in _KEYS.items():
        if key in flag.props:
            yield Loss(f"{key} of {name}", why)
    if flag.head.startswith("vfio-pci") and (flag.on("display") or flag.on("ramfb")):
        yield Loss(f"display of {name}", "the display of a device of the host is not written")
    if flag.head in ("ide-cd", "scsi-cd") and "drive" not in flag.props:
        yield Loss(f"tray of {name}", "whether an empty drive is open is not written")
    if flag.head == "virtio-mem-pci":
        yield Loss(f"device {name}", "memory that can be added is maxMemory alone: the device is not written")
    if flag.head.endswith("-transitional") and not flag.head.endswith("-non-transitional"):
        yield Loss(f"{flag.head} {name}", "the domain's virtio devices are libvirt's default kind")
    node = parts.nodes.get(flag.word("drive"))
    if node is not None and isinstance(node.props.get("backing"), str):
        yield Loss(f"backing file of {name}", "libvirt finds it in the image")


_HANDLERS: dict[str, Callable[[Flag], Iterator[Loss]]] = {
    "machine": _machine,
    "cpu": _cpu,
    "rtc": _clock,
    "object": _object,
    "numa": _numa,
    "overcommit": _overcommit,
    "global": _global,
    "acpitable": _table,
}
