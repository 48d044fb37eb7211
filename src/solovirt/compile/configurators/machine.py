"""-machine: the concrete machine type and its switches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from solovirt.compile.configurators import memory
from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop, Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.host.model.facts import MachineType
from solovirt.kit.errors import HostError
from solovirt.kit.names import nearest

PATH = "domain.machine.type"
DEFAULT = "q35"
_Q35 = re.compile(r"q35|pc-q35-[A-Za-z0-9.]+", re.ASCII)


def options(ctx: Context) -> Iterator[Option]:
    chosen, why = resolve(ctx)
    props = [
        Prop("usb", False, default("no old USB controller; one is added when a device needs it")),
        Prop("dump-guest-core", False, default("a core dump of QEMU must not hold the guest's memory")),
        Prop("vmport", False, default("no VMware back door port", "domain.features")),
    ]
    if not memory.hotplug(ctx):
        props.append(Prop("memory-backend", memory.BACKEND, needs("the guest's memory is the object of this name")))
    props.append(_acpi(ctx))
    yield Option("-machine", KeyValues(chosen.name, why, tuple(props)), why)


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
    if asked == DEFAULT and pinned:
        if pinned not in known:
            text = f"the VM was first started as {pinned}, which this QEMU does not have"
            raise HostError(text, reason="MachineTypeMissing", field=PATH, hint=_newest_hint(ctx))
        return known[pinned], default(
            "the type that q35 meant at the VM's first start; it stays for the VM's life", PATH
        )
    for machine in ctx.facts.qemu.machines:
        if machine.alias == asked:
            return machine, host(f"the type that {asked} means in this QEMU; pinned from now on", PATH)
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


def _newest_hint(ctx: Context) -> str:
    version = ".".join(map(str, ctx.facts.qemu.version))
    return f"{ctx.facts.qemu.binary} is {version}; install a QEMU that has it, or set {PATH} to another type"
