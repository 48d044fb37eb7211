"""A compiled command line as a libvirt domain: the XML that ``virsh define`` takes.

Works on the command line and not on the manifest, because only there is everything decided: paths, MAC addresses, the
machine's version. Source: libvirt's formatdomain and its qemuxmlconf tests. Devices are in ``libvirtdevices``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from solovirt.translate import libvirtdevices, libvirtlosses
from solovirt.translate.compute import HYPERV
from solovirt.translate.draft import Loss
from solovirt.translate.parts import Parts
from solovirt.translate.words import Flag, key_values, parse, size


@dataclass(frozen=True, slots=True)
class Exported:
    """``losses`` is what the XML cannot say, or says differently."""

    xml: str
    losses: tuple[Loss, ...]


def write(words: Sequence[str], name: str) -> Exported:
    """The domain of a command line that solovirt compiled. Raises ``BadRequest``."""
    binary, flags = parse(words)
    parts = Parts.of(flags)
    losses: list[Loss] = []
    by_name: dict[str, Flag] = {}
    for flag in flags:
        by_name.setdefault(flag.name, flag)
    accel = by_name.get("accel")
    domain = Element("domain", {"type": "kvm" if accel is None or accel.head == "kvm" else "qemu"})
    SubElement(domain, "name").text = name
    if "uuid" in by_name:
        SubElement(domain, "uuid").text = by_name["uuid"].text
    _memory(domain, by_name, parts)
    topology = _vcpus(domain, by_name)
    _sysinfo(domain, flags)
    _os(domain, by_name, parts)
    _features(domain, by_name, flags)
    domain.append(_cpu(by_name, topology))
    domain.append(_clock(by_name, flags))
    _lifecycle(domain, flags)
    domain.append(libvirtdevices.write(parts, binary, losses))
    losses += libvirtlosses.unsaid(parts)
    indent(domain)
    return Exported(tostring(domain, encoding="unicode") + "\n", tuple(losses))


def _memory(domain: Element, flags: dict[str, Flag], parts: Parts) -> None:
    given = flags.get("m")
    amount = size(given.word("size", given.head), 1 << 20) if given else None
    most = size(given.word("maxmem"), 1 << 20) if given and "maxmem" in given.props else None
    grows = parts.objects.get("memvirtiomem0")
    if amount and grows is not None and (extra := size(grows.word("size"))):
        most = amount + extra  # -m has addresses for DIMMs besides
    if most and amount and most > amount:
        SubElement(domain, "maxMemory", {"slots": "16", "unit": "KiB"}).text = str(most // 1024)
    SubElement(domain, "memory", {"unit": "KiB"}).text = str((amount or 128 << 20) // 1024)
    huge = [flag for flag in parts.objects.values() if flag.on("hugetlb")]
    shared = any(flag.head == "memory-backend-memfd" for flag in parts.objects.values())
    if huge or shared:
        backing = SubElement(domain, "memoryBacking")
        if huge:
            page = size(huge[0].word("hugetlbsize", "2M")) or 2 << 20
            SubElement(SubElement(backing, "hugepages"), "page", {"size": str(page // 1024), "unit": "KiB"})
        if shared:
            SubElement(backing, "source", {"type": "memfd"})
            SubElement(backing, "access", {"mode": "shared"})


def _vcpus(domain: Element, flags: dict[str, Flag]) -> dict[str, str]:
    smp = flags.get("smp")
    now = (smp.number("cpus") if smp else None) or 1
    most = (smp.number("maxcpus") if smp else None) or now
    vcpu = SubElement(domain, "vcpu", {"placement": "static"})
    vcpu.text = str(most)
    if now != most:
        vcpu.set("current", str(now))
    return {key: smp.word(key, "1") if smp else "1" for key in ("sockets", "dies", "cores", "threads")}


def _sysinfo(domain: Element, flags: Sequence[Flag]) -> None:
    tables = {"1": ("system", _SYSTEM), "3": ("chassis", _CHASSIS)}
    found = [flag for flag in flags if flag.name == "smbios" and flag.word("type") in tables]
    if not found:
        return
    sysinfo = SubElement(domain, "sysinfo", {"type": "smbios"})
    for flag in found:
        tag, keys = tables[flag.word("type")]
        table = SubElement(sysinfo, tag)
        for key in keys:
            if value := flag.word(key):
                SubElement(table, "entry", {"name": key}).text = value


_SYSTEM = ("manufacturer", "product", "version", "serial", "uuid", "sku", "family")
_CHASSIS = ("manufacturer", "version", "serial", "asset", "sku")


def _os(domain: Element, flags: dict[str, Flag], parts: Parts) -> None:
    system = SubElement(domain, "os")
    machine = flags.get("machine")
    attributes = {"arch": "x86_64", "machine": machine.head if machine else "q35"}
    SubElement(system, "type", attributes).text = "hvm"
    code = _flash(parts, machine, "pflash0")
    if machine and code:
        loader = SubElement(system, "loader", {"readonly": "yes", "type": "pflash"})
        loader.text = code
        if machine.on("smm"):
            loader.set("secure", "yes")
        if variables := _flash(parts, machine, "pflash1"):
            SubElement(system, "nvram").text = variables
    for tag in ("kernel", "initrd"):
        if tag in flags:
            SubElement(system, tag).text = flags[tag].text
    if "append" in flags:
        SubElement(system, "cmdline").text = flags["append"].text
    if "smbios" in flags:
        SubElement(system, "smbios", {"mode": "sysinfo"})


def _flash(parts: Parts, machine: Flag | None, key: str) -> str:
    node = parts.nodes.get(machine.word(key)) if machine else None
    for _ in range(4):
        if node is None:
            return ""
        if path := node.word("filename"):
            return path
        node = parts.nodes.get(node.word("file"))
    return ""


def _features(domain: Element, flags: dict[str, Flag], every: Sequence[Flag]) -> None:
    features = SubElement(domain, "features")
    machine = flags.get("machine")
    if machine is None or machine.on("acpi") is not False:
        SubElement(features, "acpi")
    apic = SubElement(features, "apic")
    if machine is not None and machine.on("vmport") is False:
        SubElement(features, "vmport", {"state": "off"})
    if machine is not None and machine.on("smm"):
        SubElement(features, "smm", {"state": "on"})
    cpu = flags.get("cpu")
    if cpu is None:
        return
    if (eoi := cpu.on("kvm-pv-eoi")) is not None:
        apic.set("eoi", "on" if eoi else "off")
    if cpu.on("kvm") is False:
        SubElement(SubElement(features, "kvm"), "hidden", {"state": "on"})
    if cpu.on("kvm-pv-unhalt") is False:
        SubElement(features, "pvspinlock", {"state": "off"})
    _hyperv(features, cpu)


def _hyperv(features: Element, cpu: Flag) -> None:
    if cpu.on("hv-passthrough"):
        SubElement(features, "hyperv", {"mode": "passthrough"})
        return
    if not any(key.startswith("hv-") and key not in ("hv-time", "hv-crash") for key in cpu.props):
        return
    hyperv = SubElement(features, "hyperv", {"mode": "custom"})
    names = {flag: {"synictimer": "stimer"}.get(name, name) for flag, name in HYPERV.items()}
    for key, name in names.items():
        if (state := cpu.on(key)) is None:
            continue
        element = SubElement(hyperv, name, {"state": "on" if state else "off"})
        if key == "hv-stimer" and cpu.on("hv-stimer-direct"):
            SubElement(element, "direct", {"state": "on"})
    if (retries := cpu.number("hv-spinlocks")) is not None:
        SubElement(hyperv, "spinlocks", {"state": "on", "retries": str(retries)})
    if vendor := cpu.word("hv-vendor-id"):
        SubElement(hyperv, "vendor_id", {"state": "on", "value": vendor})


def _cpu(flags: dict[str, Flag], topology: dict[str, str]) -> Element:
    given = flags.get("cpu")
    model = given.head if given else ""
    if model == "host":
        cpu = Element("cpu", {"mode": "host-passthrough", "check": "none", "migratable": "on"})
    elif model in ("", "max"):
        cpu = Element("cpu", {"mode": "maximum", "check": "none", "migratable": "on"})
    else:
        cpu = Element("cpu", {"mode": "custom", "match": "exact", "check": "none"})
        SubElement(cpu, "model", {"fallback": "forbid"}).text = model
    SubElement(cpu, "topology", topology)
    for key in given.props if given else ():
        state = given.on(key) if given else None
        if state is None or key.startswith(("hv-", "kvm", "migratable")):
            continue
        SubElement(cpu, "feature", {"policy": "require" if state else "disable", "name": key})
    return cpu


def _clock(flags: dict[str, Flag], every: Sequence[Flag]) -> Element:
    rtc, machine, cpu = flags.get("rtc"), flags.get("machine"), flags.get("cpu")
    clock = Element("clock", {"offset": "utc"})
    if rtc is not None and rtc.word("driftfix") == "slew":
        SubElement(clock, "timer", {"name": "rtc", "tickpolicy": "catchup"})
    for flag in every:
        _, props = key_values(flag.text, head=False)
        if flag.name == "global" and "kvm-pit.lost_tick_policy" in props:
            SubElement(clock, "timer", {"name": "pit", "tickpolicy": str(props["kvm-pit.lost_tick_policy"])})
    if (machine is not None and machine.on("hpet") is False) or "no-hpet" in flags:
        SubElement(clock, "timer", {"name": "hpet", "present": "no"})
    if cpu is not None and (state := cpu.on("kvmclock")) is not None:
        SubElement(clock, "timer", {"name": "kvmclock", "present": "yes" if state else "no"})
    if cpu is not None and cpu.on("hv-time"):
        SubElement(clock, "timer", {"name": "hypervclock", "present": "yes"})
    return clock


def _lifecycle(domain: Element, flags: Sequence[Flag]) -> None:
    ends = any(flag.name == "no-reboot" or flag.word("reboot") == "shutdown" for flag in flags)
    SubElement(domain, "on_poweroff").text = "destroy"
    SubElement(domain, "on_reboot").text = "destroy" if ends else "restart"
    SubElement(domain, "on_crash").text = "destroy"
