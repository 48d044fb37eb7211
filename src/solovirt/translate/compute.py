"""Flags of the machine itself: machine, accelerator, CPU, memory, firmware strings, clock, kernel.

One function for each flag; ``HANDLERS`` finds it. A handler takes over what a manifest can say and calls ``lose`` for
the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from solovirt.api.kubevirt.defaulting.compute import DIMM_SLOTS
from solovirt.kit.jsontypes import Json
from solovirt.translate.draft import Draft, quantity
from solovirt.translate.words import Flag, key_values, number, size

HYPERV = {
    "hv-relaxed": "relaxed",
    "hv-vapic": "vapic",
    "hv-vpindex": "vpindex",
    "hv-runtime": "runtime",
    "hv-synic": "synic",
    "hv-reset": "reset",
    "hv-frequencies": "frequencies",
    "hv-reenlightenment": "reenlightenment",
    "hv-ipi": "ipi",
    "hv-evmcs": "evmcs",
    "hv-stimer": "synictimer",
    "hv-tlbflush": "tlbflush",
}
_CPU = "domain.cpu"
_MACHINE_OWN = frozenset({"usb", "dump-guest-core", "vmport", "memory-backend", "acpi", "accel", "type", "i8042"}) | {
    *("smm", "hpet", "pit", "pflash0", "pflash1", "graphics", "mem-merge", "confidential-guest-support")
}
"""The last three are looked at in ``whole``."""


def machine(draft: Draft, flag: Flag) -> None:
    name = flag.head or flag.word("type")
    if name:
        draft.put("domain.machine.type", name)
        if not (name == "q35" or name.startswith("pc-q35")):
            draft.put("domain.machine.type", "q35")
            text = f"machine type {name}: KubeVirt has q35 only; disks and NICs will sit on other buses than before"
            draft.lose(flag.shown(), text)
    if flag.on("acpi") is False:
        draft.put("domain.features.acpi.enabled", False)
    if (smm := flag.on("smm")) is not None:
        draft.put("domain.features.smm.enabled", smm)
    if (hpet := flag.on("hpet")) is not None:
        draft.put("domain.clock.timer.hpet.present", hpet)
    if flag.on("pit") is False:
        draft.put("domain.clock.timer.pit.present", False)
    for key, value in flag.props.items():
        if key not in _MACHINE_OWN:
            draft.lose(f"-machine {key}={value}", "a manifest has no field for it")


def accel(draft: Draft, flag: Flag) -> None:
    if flag.head not in ("kvm", "tcg", "") or set(flag.props) - {"accel"}:
        draft.lose(flag.shown(), "solovirt chooses the accelerator: KVM where it works, else emulation")


def cpu(draft: Draft, flag: Flag) -> None:
    model = flag.head
    if model == "host":
        draft.put(f"{_CPU}.model", "host-passthrough")
    elif model and model != "max":
        draft.put(f"{_CPU}.model", model)
    features: list[Json] = []
    for word, value in flag.props.items():
        key, text = word, str(value)
        if word[:1] in "+-":
            key, text = word[1:], "on" if word[0] == "+" else "off"
        key = key.replace("_", "-") if key.startswith(("hv_", "kvm_")) else key
        if _enlightenment(draft, key, text) or _hint(draft, key, text):
            continue
        if key == "mpx" and text == "off" and model not in ("host", "max"):
            continue
        if text not in ("on", "off", "True", "False"):
            draft.lose(f"-cpu {key}={text}", "a manifest turns CPU features on or off, it has no values for them")
            continue
        features.append({"name": key, "policy": "require" if text in ("on", "True") else "disable"})
    if features:
        draft.put(f"{_CPU}.features", features)
    if model not in ("", "host", "max") and "mpx" not in flag.props:
        draft.note(f"-cpu {model} gets mpx=off, as KubeVirt's named models have it")


def _enlightenment(draft: Draft, key: str, text: str) -> bool:
    where = "domain.features.hyperv"
    state: Json = {} if text == "on" else {"enabled": False}
    if key in HYPERV:
        draft.put(f"{where}.{HYPERV[key]}", state)
    elif key == "hv-spinlocks":
        count = number(text)
        draft.put(f"{where}.spinlocks", {"spinlocks": count} if count is not None else {})
    elif key == "hv-vendor-id":
        draft.put(f"{where}.vendorid", {"vendorid": text})
    elif key in ("hv-stimer-direct", "hv-tlbflush-direct", "hv-tlbflush-ext"):
        outer, inner = {
            "hv-stimer-direct": ("synictimer", "direct"),
            "hv-tlbflush-direct": ("tlbflush", "direct"),
            "hv-tlbflush-ext": ("tlbflush", "extended"),
        }[key]
        draft.put(f"{where}.{outer}.{inner}", state)
    elif key == "hv-time":
        draft.put("domain.clock.timer.hyperv", {} if text == "on" else {"present": False})
    elif key == "hv-passthrough" and text == "on":
        draft.put("domain.features.hypervPassthrough.enabled", True)
    elif key == "hv-crash" and text == "on":
        draft.add("domain.devices.panicDevices", {"model": "hyperv"})
    else:
        return False
    return True


def _hint(draft: Draft, key: str, text: str) -> bool:
    """Flags of KVM's own interface that have fields."""
    if key == "kvm":
        draft.put("domain.features.kvm.hidden", text == "off")
    elif key == "kvm-hint-dedicated" and text == "on":
        draft.put(f"{_CPU}.dedicatedCpuPlacement", True)
    elif key == "kvm-pv-unhalt":
        draft.put("domain.features.pvspinlock.enabled", text == "on")
    elif key == "kvm-pv-eoi":
        draft.put("domain.features.apic.endOfInterrupt", text == "on")
    elif key == "kvmclock":
        draft.put("domain.clock.timer.kvm.present", text == "on")
    else:
        return key == "migratable"
    return True


def smp(draft: Draft, flag: Flag) -> None:
    """QEMU fills in missing levels with cores before sockets since machine type 6.2 (hw/core/machine-smp.c)."""
    keys = ("cpus", "maxcpus", "sockets", "dies", "clusters", "cores", "threads")
    given = {key: found if (found := flag.number(key)) and found > 0 else None for key in keys}
    total = given["cpus"] or max(number(flag.head) or 0, 0)
    if (given["dies"] or 1) > 1 or (given["clusters"] or 1) > 1:
        draft.lose(flag.shown(), "dies and clusters: KubeVirt's topology has sockets, cores and threads")
    threads, cores, sockets = given["threads"], given["cores"], given["sockets"]
    most = given["maxcpus"] or total or (sockets or 1) * (cores or 1) * (threads or 1)
    if cores is None:
        cores = max(most // ((sockets or 1) * (threads or 1)), 1)
    if sockets is None:
        sockets = max(most // (cores * (threads or 1)), 1)
    if threads is None:
        threads = max(most // (cores * sockets), 1)
    each = cores * threads
    plugged, left = divmod(total or most, each)
    if left or not plugged:
        plugged = max(plugged + bool(left), 1)
        text = f"{total} vCPUs are no whole number of sockets with {each} vCPUs each: the manifest has {plugged * each}"
        draft.lose(flag.shown(), text)
    draft.put(f"{_CPU}.sockets", plugged)
    draft.put(f"{_CPU}.cores", cores)
    draft.put(f"{_CPU}.threads", threads)
    if max(sockets, plugged) != plugged * 4:
        draft.put(f"{_CPU}.maxSockets", max(sockets, plugged))


def memory(draft: Draft, flag: Flag) -> None:
    """Bare numbers are MiB."""
    text = flag.head or flag.word("size")
    found = size(text, 1 << 20) if text else None
    if found:
        draft.put("domain.memory.guest", quantity(found))
    most = size(flag.word("maxmem"), 1 << 20) if "maxmem" in flag.props else None
    if most and most != found:
        draft.put("domain.memory.maxGuest", quantity(most))
    if "slots" in flag.props and flag.number("slots") != DIMM_SLOTS:
        draft.lose(f"-m slots={flag.word('slots')}", f"a guest that may grow has {DIMM_SLOTS} slots for DIMMs")


def uuid(draft: Draft, flag: Flag) -> None:
    draft.put("domain.firmware.uuid", flag.text)


def smbios(draft: Draft, flag: Flag) -> None:
    kind = flag.word("type")
    if kind == "1":
        if serial := flag.word("serial"):
            draft.put("domain.firmware.serial", serial)
        own = {"manufacturer": "KubeVirt", "product": "None", "family": "KubeVirt"}
        for key in ("manufacturer", "product", "family", "version", "sku"):
            if flag.word(key) not in ("", own.get(key, "")):
                text = f"{flag.word(key)!r} becomes KubeVirt's {own.get(key, 'none')}: the manifest has no field for it"
                draft.lose(f"-smbios type=1,{key}={flag.word(key)}", text)
    elif kind == "3":
        for key in ("manufacturer", "version", "serial", "asset", "sku"):
            if flag.word(key):
                draft.put(f"domain.chassis.{key}", flag.word(key))
    else:
        draft.lose(flag.shown(), "KubeVirt sets SMBIOS tables 1 and 3 only")


def rtc(draft: Draft, flag: Flag) -> None:
    base = flag.word("base", "utc")
    if base == "localtime":
        draft.lose(flag.shown(), "local time: put the host's zone into clock.timezone")
    elif base != "utc":
        draft.lose(flag.shown(), f"the clock began at {base}; the manifest can have an offset or a time zone")
    if (policy := {"slew": "catchup", "none": "delay"}.get(flag.word("driftfix"))) is not None:
        draft.put("domain.clock.timer.rtc.tickPolicy", policy)
    if (track := {"host": "wall", "vm": "guest"}.get(flag.word("clock"))) is not None:
        draft.put("domain.clock.timer.rtc.track", track)
    elif flag.word("clock"):
        draft.lose(f"-rtc clock={flag.word('clock')}", "the manifest knows guest and wall")


def no_hpet(draft: Draft, flag: Flag) -> None:
    draft.put("domain.clock.timer.hpet.present", False)


def no_acpi(draft: Draft, flag: Flag) -> None:
    draft.put("domain.features.acpi.enabled", False)


def no_reboot(draft: Draft, flag: Flag) -> None:
    draft.put("domain.rebootPolicy", "Terminate")


def action(draft: Draft, flag: Flag) -> None:
    if flag.word("reboot") == "shutdown":
        draft.put("domain.rebootPolicy", "Terminate")
    for key, value in flag.props.items():
        if (key, value) not in (
            ("reboot", "shutdown"),
            ("shutdown", "pause"),
            ("reboot", "reset"),
        ) and key != "watchdog":
            draft.lose(f"-action {key}={value}", "what happens then is fixed")


def global_property(draft: Draft, flag: Flag) -> None:
    driver, name, value = flag.word("driver"), flag.word("property"), flag.word("value")
    if not driver:
        _, props = key_values(flag.text, head=False)
        whole, value = next(((key, str(item)) for key, item in props.items()), ("", ""))
        driver, _, name = whole.rpartition(".")
    known = {("cfi.pflash01", "secure"), ("ICH9-LPC", "noreboot"), ("ICH9-LPC", "disable_s3")}
    if (driver, name) == ("kvm-pit", "lost_tick_policy"):
        draft.put("domain.clock.timer.pit.tickPolicy", value)
    elif (driver, name) not in known:
        draft.lose(flag.shown(), "QEMU's global properties have no field")


def kernel(draft: Draft, flag: Flag) -> None:
    """-kernel and -initrd: kernelBoot takes its files from a container image, which is still to be made."""
    file = flag.text.rpartition("/")[2] or flag.name
    container = "domain.firmware.kernelBoot.container"
    draft.put(f"{container}.image", f"{draft.name}-kernel")
    draft.put(f"{container}.{flag.name}Path", f"/boot/{file}")
    draft.note(f"{flag.text} has to be in the container image {draft.name}-kernel, as /boot/{file}")


def append(draft: Draft, flag: Flag) -> None:
    draft.put("domain.firmware.kernelBoot.kernelArgs", flag.text)


def boot(draft: Draft, flag: Flag) -> None:
    order = flag.word("order", flag.head)
    if order:
        draft.lose(flag.shown(), "boot order: set bootOrder on disks and interfaces")


def bios(draft: Draft, flag: Flag) -> None:
    if "OVMF" in flag.text.upper():
        draft.put("domain.firmware.bootloader.efi", {"secureBoot": False})
    else:
        draft.lose(flag.shown(), "firmware images are chosen by firmware.bootloader")


def start_stopped(draft: Draft, flag: Flag) -> None:
    """solovirt starts every machine so; a manifest that wants it says startStrategy."""


def ours(draft: Draft, flag: Flag) -> None:
    """What solovirt puts on every command line itself."""


def name(draft: Draft, flag: Flag) -> None:
    from solovirt.translate.draft import label

    text = flag.word("guest", flag.head)
    draft.name = label(text.partition("_")[2] if text.startswith("default_") else text) or draft.name


HANDLERS: dict[str, Callable[[Draft, Flag], None]] = {
    "machine": machine,
    "M": machine,
    "accel": accel,
    "enable-kvm": ours,
    "cpu": cpu,
    "smp": smp,
    "m": memory,
    "uuid": uuid,
    "smbios": smbios,
    "rtc": rtc,
    "no-hpet": no_hpet,
    "no-acpi": no_acpi,
    "no-reboot": no_reboot,
    "action": action,
    "global": global_property,
    "kernel": kernel,
    "initrd": kernel,
    "append": append,
    "boot": boot,
    "bios": bios,
    "name": name,
}
HANDLERS.update(dict.fromkeys(("S", "nodefaults", "no-user-config", "no-shutdown", "daemonize"), ours))
HANDLERS.update(dict.fromkeys(("msg", "sandbox", "mon", "qmp", "monitor", "overcommit", "pidfile", "D", "d"), ours))
HANDLERS.update(dict.fromkeys(("display", "nographic", "k", "runas", "chroot", "add-fd", "set", "readconfig"), ours))


def known(flags: Iterable[Flag]) -> list[Flag]:
    """The flags that ``HANDLERS`` takes."""
    return [flag for flag in flags if flag.name in HANDLERS]
