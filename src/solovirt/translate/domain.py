"""A libvirt domain (XML) into a VirtualMachine manifest.

Source: libvirt's formatdomain. The XML is untrusted: no DTD, no entities, bounded in size. Devices are in
``domaindevices``; everything that is not taken over is in the losses.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json
from solovirt.translate import domaindevices
from solovirt.translate.draft import Draft, label, quantity
from solovirt.translate.words import number

MAX_TEXT = 1 << 20
_UNITS = {
    "b": 1, "bytes": 1, "kb": 1000, "k": 1024, "kib": 1024, "mb": 10**6, "m": 1 << 20, "mib": 1 << 20, "gb": 10**9,
    "g": 1 << 30, "gib": 1 << 30, "tb": 10**12, "t": 1 << 40, "tib": 1 << 40,
}  # fmt: skip
_OWN = frozenset(
    {"name", "uuid", "vcpu", "currentMemory", "memory", "maxMemory", "on_poweroff", "on_crash", "pm", "resource"}
    | {"iothreads", "metadata", "title", "description", "devices", "seclabel", "genid"}
)


def read(text: str, name: str = "") -> Draft:
    """The manifest of a ``<domain>``. Raises ``BadRequest`` for what is no domain."""
    root = _parse(text)
    if root.tag != "domain":
        raise BadRequest(f"expected a libvirt <domain>, got <{root.tag[:40]}>")
    draft = Draft(name=name or label(_text(root, "name")) or "imported")
    if root.get("type") not in (None, "kvm", "qemu"):
        draft.lose(f'<domain type="{root.get("type")}">', "solovirt drives QEMU")
    if uuid := _text(root, "uuid"):
        draft.put("domain.firmware.uuid", uuid)
    _memory(draft, root)
    _vcpus(draft, root)
    for child in root:
        tag = child.tag
        if tag in _HANDLERS:
            _HANDLERS[tag](draft, child)
        elif tag not in _OWN:
            draft.lose(f"<{tag}>", "a manifest has no field for it")
    devices = root.find("devices")
    domaindevices.read(draft, devices if devices is not None else Element("devices"))
    return draft


def _parse(text: str) -> Element:
    if len(text) > MAX_TEXT:
        raise BadRequest(f"the XML is longer than {MAX_TEXT} characters")
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise BadRequest(f"not well-formed XML: line {line}, column {column}") from None
    except DefusedXmlException:
        raise BadRequest("the XML has a DTD or entities, which a libvirt domain never has") from None
    except ValueError:
        raise BadRequest("the XML is not Unicode text") from None
    return root


def _text(element: Element, path: str) -> str:
    found = element.find(path)
    return (found.text or "").strip() if found is not None else ""


def _bytes(element: Element | None) -> int | None:
    if element is None:
        return None
    try:
        found = int(float((element.text or "").strip()) * _UNITS[(element.get("unit") or "KiB").lower()])
    except (ValueError, KeyError, OverflowError):
        return None
    return found if 0 <= found < 1 << 64 else None


def _memory(draft: Draft, root: Element) -> None:
    most, now = _bytes(root.find("memory")), _bytes(root.find("currentMemory"))
    if most:
        draft.put("domain.memory.guest", quantity(most))
    if most and now and now < most:
        draft.lose(f"<currentMemory> {quantity(now)}", "the balloon starts empty: the guest has all of its memory")
    if limit := _bytes(root.find("maxMemory")):
        draft.put("domain.memory.maxGuest", quantity(limit))


def _vcpus(draft: Draft, root: Element) -> None:
    vcpu = root.find("vcpu")
    most = max(number(_text(root, "vcpu")) or 1, 1)
    now = max((number(vcpu.get("current") or "") if vcpu is not None else None) or most, 1)
    topology = root.find("cpu/topology")
    levels = (
        {key: max(number(topology.get(key, "1")) or 1, 1) for key in ("sockets", "cores", "threads")}
        if topology is not None
        else {}
    )
    if not levels:
        draft.put("domain.cpu.sockets", now)
        most_sockets, sockets = most, now
    else:
        each = levels["cores"] * levels["threads"]
        sockets = max(-(-now // each), 1)
        most_sockets = levels["sockets"]
        draft.put("domain.cpu.cores", levels["cores"])
        draft.put("domain.cpu.threads", levels["threads"])
        draft.put("domain.cpu.sockets", sockets)
        if now % each:
            draft.lose(f'<vcpu current="{now}">', f"the manifest has whole sockets: {sockets * each} vCPUs")
    if most_sockets > sockets:
        draft.put("domain.cpu.maxSockets", most_sockets)


def _os(draft: Draft, element: Element) -> None:
    kind = element.find("type")
    if kind is not None and (kind.text or "").strip() != "hvm":
        draft.lose(f"<os><type>{kind.text}", "only full virtualisation")
    machine = (kind.get("machine") or "") if kind is not None else ""
    if machine.startswith("pc-q35") or machine == "q35":
        draft.put("domain.machine.type", machine)
    elif machine:
        draft.put("domain.machine.type", "q35")
        draft.lose(f'machine="{machine}"', "KubeVirt has q35 only: disks and NICs will sit on other buses than before")
    loader = element.find("loader")
    if element.get("firmware") == "efi" or (loader is not None and loader.get("type") == "pflash"):
        secure = loader is not None and loader.get("secure") == "yes"
        draft.put("domain.firmware.bootloader.efi", {"secureBoot": secure})
        if secure:
            draft.put("domain.features.smm.enabled", True)
        if element.find("nvram") is not None:
            draft.note("the firmware's variables (<nvram>) are not taken along: boot entries are made anew")
    if (bios := element.find("bios")) is not None and bios.get("useserial") == "yes":
        draft.put("domain.firmware.bootloader.bios", {"useSerial": True})
    for tag in ("kernel", "initrd"):
        if path := _text(element, tag):
            inside = f"/boot/{path.rpartition('/')[2]}"
            draft.put("domain.firmware.kernelBoot.container.image", f"{draft.name}-kernel")
            draft.put(f"domain.firmware.kernelBoot.container.{tag}Path", inside)
            draft.note(f"{path} has to be in the container image {draft.name}-kernel, as {inside}")
    if arguments := _text(element, "cmdline"):
        draft.put("domain.firmware.kernelBoot.kernelArgs", arguments)


_SYSTEM = {"manufacturer": "KubeVirt", "product": "None", "family": "KubeVirt"}
"""What KubeVirt has there."""
_CHASSIS = ("manufacturer", "version", "serial", "asset", "sku")


def _sysinfo(draft: Draft, element: Element) -> None:
    """SMBIOS strings; the uuid is the domain's own."""
    for table in element:
        for entry in table.findall("entry"):
            name, text = entry.get("name") or "", (entry.text or "").strip()
            if table.tag == "system" and name == "serial":
                draft.put("domain.firmware.serial", text)
            elif table.tag == "chassis" and name in _CHASSIS:
                draft.put(f"domain.chassis.{name}", text)
            elif (table.tag, name) != ("system", "uuid") and not (table.tag == "system" and _SYSTEM.get(name) == text):
                draft.lose(f'<sysinfo><{table.tag}><entry name="{name}">{text}', "a manifest has no field for it")


def _cpu(draft: Draft, element: Element) -> None:
    mode = element.get("mode") or "custom"
    if mode == "host-passthrough":
        draft.put("domain.cpu.model", mode)
    elif mode == "maximum":
        draft.note('cpu mode "maximum" becomes host-model, which is the same with emulation')
    elif model := _text(element, "model"):
        draft.put("domain.cpu.model", model)
    features: list[Json] = [
        {"name": feature.get("name") or "", "policy": feature.get("policy") or "require"}
        for feature in element.findall("feature")
    ]
    if features:
        draft.put("domain.cpu.features", features)
    if element.find("numa") is not None:
        draft.lose("<cpu><numa>", "guest NUMA nodes follow the host's: cpu.numa.guestMappingPassthrough")


def _features(draft: Draft, element: Element) -> None:
    where = "domain.features"
    present = {child.tag for child in element}
    if "acpi" not in present:
        draft.put(f"{where}.acpi.enabled", False)
    for child in element:
        if child.tag == "apic" and child.get("eoi"):
            draft.put(f"{where}.apic.endOfInterrupt", child.get("eoi") == "on")
        elif child.tag == "smm":
            draft.put(f"{where}.smm.enabled", child.get("state") != "off")
        elif child.tag == "pvspinlock":
            draft.put(f"{where}.pvspinlock.enabled", child.get("state") != "off")
        elif child.tag == "kvm":
            hidden = child.find("hidden")
            if hidden is not None:
                draft.put(f"{where}.kvm.hidden", hidden.get("state") == "on")
        elif child.tag == "hyperv":
            _hyperv(draft, child)
        elif child.tag not in ("acpi", "apic", "pae", "vmport"):
            draft.lose(f"<features><{child.tag}>", "a manifest has no field for it")


_ENLIGHTENMENTS = {
    "relaxed": "relaxed", "vapic": "vapic", "vpindex": "vpindex", "runtime": "runtime", "synic": "synic",
    "stimer": "synictimer", "reset": "reset", "frequencies": "frequencies", "reenlightenment": "reenlightenment",
    "tlbflush": "tlbflush", "ipi": "ipi", "evmcs": "evmcs",
}  # fmt: skip


def _hyperv(draft: Draft, element: Element) -> None:
    where = "domain.features.hyperv"
    if element.get("mode") == "passthrough":
        draft.put("domain.features.hypervPassthrough.enabled", True)
        return
    for child in element:
        on = child.get("state") != "off"
        if child.tag in _ENLIGHTENMENTS:
            state: dict[str, Json] = {} if on else {"enabled": False}
            for inner in child:
                if inner.tag in ("direct", "extended"):
                    state[inner.tag] = {"enabled": inner.get("state") != "off"}
            draft.put(f"{where}.{_ENLIGHTENMENTS[child.tag]}", state)
        elif child.tag == "spinlocks":
            retries = number(child.get("retries") or "")
            draft.put(f"{where}.spinlocks", {"spinlocks": retries} if retries is not None else {})
        elif child.tag == "vendor_id":
            draft.put(f"{where}.vendorid", {"vendorid": child.get("value") or ""})
        else:
            draft.lose(f"<hyperv><{child.tag}>", "a manifest has no field for it")


def _clock(draft: Draft, element: Element) -> None:
    offset = element.get("offset") or "utc"
    if offset == "timezone":
        draft.put("domain.clock.timezone", element.get("timezone") or "UTC")
    elif offset == "localtime":
        draft.lose('<clock offset="localtime">', "put the host's zone into clock.timezone")
    elif offset == "variable" and (seconds := number(element.get("adjustment") or "0")) is not None:
        draft.put("domain.clock.utc.offsetSeconds", seconds)
    else:
        draft.put("domain.clock.utc", {})
    where = "domain.clock.timer"
    for timer in element.findall("timer"):
        name = timer.get("name") or ""
        kind = {"hpet": "hpet", "pit": "pit", "rtc": "rtc", "kvmclock": "kvm", "hypervclock": "hyperv"}.get(name)
        if kind is None:
            draft.lose(f'<timer name="{name}">', "KubeVirt's timers are hpet, pit, rtc, kvm and hyperv")
            continue
        settings: dict[str, Json] = {}
        if timer.get("present"):
            settings["present"] = timer.get("present") == "yes"
        if timer.get("tickpolicy"):
            settings["tickPolicy"] = timer.get("tickpolicy")
        if timer.get("track") in ("guest", "wall"):
            settings["track"] = timer.get("track")
        draft.put(f"{where}.{kind}", settings)


def _on_reboot(draft: Draft, element: Element) -> None:
    if (element.text or "").strip() == "destroy":
        draft.put("domain.rebootPolicy", "Terminate")


def _backing(draft: Draft, element: Element) -> None:
    pages = element.find("hugepages")
    if pages is not None:
        page = pages.find("page")
        size = 2 << 20
        if page is not None and (given := number(page.get("size") or "")) is not None and given > 0:
            size = given * _UNITS.get((page.get("unit") or "KiB").lower(), 1024)
        draft.put("domain.memory.hugepages.pageSize", quantity(size))
    for child in element:
        if child.tag not in ("hugepages", "source", "access", "allocation"):
            draft.lose(f"<memoryBacking><{child.tag}>", "a manifest has no field for it")


def _cputune(draft: Draft, element: Element) -> None:
    if element.findall("vcpupin"):
        draft.put("domain.cpu.dedicatedCpuPlacement", True)
        draft.lose("<cputune><vcpupin>", "dedicatedCpuPlacement pins vCPUs; solovirt chooses the host's CPUs")
    for child in element:
        if child.tag not in ("vcpupin", "emulatorpin", "iothreadpin"):
            draft.lose(f"<cputune><{child.tag}>", "a manifest has no field for it")


_HANDLERS: dict[str, Callable[[Draft, Element], None]] = {
    "os": _os,
    "cpu": _cpu,
    "sysinfo": _sysinfo,
    "features": _features,
    "clock": _clock,
    "on_reboot": _on_reboot,
    "memoryBacking": _backing,
    "cputune": _cputune,
}
