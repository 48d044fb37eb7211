"""-machine: the concrete machine type and its switches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from solovirt.compile import ram
from solovirt.compile.configurators import firmware, launchsecurity
from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop, Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.host.model.facts import MachineType
from solovirt.kit.errors import HostError
from solovirt.kit.names import nearest

PATH = "domain.machine.type"
DEFAULT = "q35"
NO_HOLE = "kubevirt.io/disablePCIHole64"
_Q35 = re.compile(r"q35|pc-q35-[A-Za-z0-9.]+", re.ASCII)
_RED_HAT = re.compile(r"pc-q35-rhel[0-9.]+", re.ASCII)
"""Types that only Red Hat's QEMU has, which is the one that KubeVirt brings along."""


def options(ctx: Context) -> Iterator[Option]:
    chosen, why = resolve(ctx)
    props = [
        Prop("usb", False, default("no old USB controller; one is added when a device needs it")),
        *_smm(ctx),
        *_timers(ctx),
        Prop("dump-guest-core", False, default("a core dump of QEMU must not hold the guest's memory")),
        *_realtime(ctx),
        Prop("vmport", False, default("no VMware back door port", "domain.features")),
        *launchsecurity.machine(ctx),
        *firmware.machine_props(ctx),
    ]
    if not ram.nodes(ctx):
        props.append(Prop("memory-backend", ram.MAIN, needs("the guest's memory is the object of this name")))
    props.append(_acpi(ctx))
    yield Option("-machine", KeyValues(chosen.name, why, tuple(props)), why)


def bridge(ctx: Context) -> Iterator[Option]:
    """The host bridge's window for devices above 4 GiB, which old guests stumble over."""
    if ctx.annotated(NO_HOLE):
        why = manifest(f"metadata.annotations[{NO_HOLE}]", "no window for PCI devices above 4 GiB")
        yield Option("-global", KeyValues("", None, (Prop("q35-pcihost.pci-hole64-size", "0K", why),)), why)


def resolve(ctx: Context) -> tuple[MachineType, Reason]:
    """The concrete type. An exact name in the manifest wins; an alias means the pinned type, or the newest.

    Raises ``Invalid`` (unknown or not q35) or ``HostError`` (this QEMU no longer has the pinned type).
    """
    asked = ctx.spec.domain.machine.type if ctx.spec.domain.machine else ""
    asked = asked or DEFAULT
    if not _Q35.fullmatch(asked):
        raise invalid(PATH, f'machine type "{asked}" is not supported', hint='only "q35" and "pc-q35-<version>" are')
    known = {machine.name: machine for machine in ctx.facts.qemu.machines}
    if asked in known:
        text = "the machine type" + (", which this QEMU calls deprecated" if known[asked].deprecated else "")
        return known[asked], manifest(PATH, text)
    pinned = ctx.bindings.pins.machine
    foreign = asked if _RED_HAT.fullmatch(asked) else ""
    asked = DEFAULT if foreign else asked
    if asked == DEFAULT and pinned:
        if pinned not in known:
            text = f"the VM was first started as {pinned}, which this QEMU does not have"
            raise HostError(text, reason="MachineTypeMissing", field=PATH, hint=_newest_hint(ctx))
        return known[pinned], default(
            "the type that q35 meant at the VM's first start; it stays for the VM's life", PATH
        )
    for machine in ctx.facts.qemu.machines:
        if machine.alias == asked:
            note = f"; {foreign} is a type of Red Hat's QEMU alone" if foreign else ""
            return machine, host(f"the type that {asked} means in this QEMU; pinned from now on{note}", PATH)
    near = nearest(asked, [name for name in known if _Q35.fullmatch(name)])
    hint = f'did you mean "{near}"?' if near else ""
    raise invalid(PATH, f'this QEMU has no machine type "{asked}"', reason="FieldValueNotSupported", hint=hint)


def _acpi(ctx: Context) -> Prop:
    features = ctx.spec.domain.features
    if features is None or features.acpi is None:
        return Prop(
            "acpi", True, default("power button, hotplug and CPU tables come through ACPI", "domain.features.acpi")
        )
    enabled = features.acpi.enabled is not False
    return Prop("acpi", enabled, manifest("domain.features.acpi.enabled", "ACPI on or off"))


def _smm(ctx: Context) -> Iterator[Prop]:
    features = ctx.spec.domain.features
    if features is not None and features.smm is not None:
        path = "domain.features.smm.enabled"
        yield Prop("smm", features.smm.enabled is not False, manifest(path, "system management mode for the firmware"))


def _timers(ctx: Context) -> Iterator[Prop]:
    """Timers of the chipset that are there or not. The real time clock cannot be taken away."""
    clock = ctx.spec.domain.clock
    timer = clock.timer if clock else None
    if timer and timer.pit is not None and timer.pit.present is False:
        yield Prop("pit", False, manifest("domain.clock.timer.pit.present", "no programmable interval timer"))
    if timer and timer.hpet is not None:
        on = timer.hpet.present is not False
        text = "the high precision event timer" if on else "no high precision event timer: Windows would prefer it"
        policy = "; QEMU's has no tick policies: it delivers what was missed later" if timer.hpet.tick_policy else ""
        yield Prop("hpet", on, manifest("domain.clock.timer.hpet", text + policy))


def _realtime(ctx: Context) -> Iterator[Prop]:
    cpu = ctx.spec.domain.cpu
    if cpu is not None and cpu.realtime is not None:
        why = manifest("domain.cpu.realtime", "the host does not look for equal pages in the guest's memory")
        yield Prop("mem-merge", False, why)


def _newest_hint(ctx: Context) -> str:
    version = ".".join(map(str, ctx.facts.qemu.version))
    return f"{ctx.facts.qemu.binary} is {version}; install a QEMU that has it, or set {PATH} to another type"
