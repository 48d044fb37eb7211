"""spec + facts + bindings -> Machine: the ordered list of configurators, and the one function that runs them.

Pure: no I/O, no clock, no randomness; the same input gives the same machine, byte for byte.
"""

from __future__ import annotations

from functools import partial

import msgspec

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.compile import checks
from solovirt.compile.configurators import (
    accel,
    agent,
    balloon,
    chassis,
    clock,
    console,
    controllers,
    cpu,
    disks,
    downwardmetrics,
    filesystems,
    firmware,
    frame,
    graphics,
    hostdevices,
    identity,
    inputs,
    iothreads,
    kernel,
    launchsecurity,
    machine,
    memory,
    monitor,
    nics,
    numa,
    panic,
    ports,
    rng,
    sandbox,
    sound,
    topology,
    tpm,
    usbredir,
    vsock,
    watchdog,
)
from solovirt.compile.context import Configurator, Context, EndpointSource
from solovirt.compile.layout import Layout, allocate
from solovirt.compile.options import Machine, Option
from solovirt.compile.problems import gather, invalid, merged, under
from solovirt.host.model.bindings import Bindings, Pins
from solovirt.host.model.facts import HostFacts
from solovirt.kit.errors import Cause, HostError, Invalid

ARCHITECTURES = {"amd64": "x86_64"}

CONFIGURATORS: tuple[Configurator, ...] = (
    frame.opening,
    firmware.flash,
    machine.options,
    accel.options,
    cpu.options,
    firmware.security,
    launchsecurity.options,
    memory.options,
    topology.options,
    numa.options,
    iothreads.options,
    identity.options,
    chassis.options,
    frame.isolation,
    monitor.options,
    clock.options,
    machine.bridge,
    frame.lifecycle,
    kernel.options,
    firmware.rom,
    firmware.tables,
    ports.options,
    controllers.options,
    memory.growth,
    disks.reservations,
    disks.options,
    filesystems.options,
    nics.options,
    console.options,
    agent.options,
    downwardmetrics.options,
    tpm.options,
    inputs.options,
    graphics.options,
    sound.options,
    watchdog.options,
    hostdevices.options,
    usbredir.options,
    balloon.options,
    rng.options,
    panic.options,
    vsock.options,
    sandbox.options,
    frame.closing,
)
"""In the order of libvirt's command lines: a node comes before what refers to it."""

ENDPOINTS: tuple[EndpointSource, ...] = (
    nics.endpoints,
    controllers.endpoints,
    ports.endpoints,
    disks.endpoints,
    inputs.endpoints,
    balloon.endpoints,
    rng.endpoints,
    memory.endpoints,
    sound.endpoints,
    watchdog.endpoints,
    hostdevices.endpoints,
    usbredir.endpoints,
    panic.endpoints,
    vsock.endpoints,
    filesystems.endpoints,
)
"""In KubeVirt's order of PCI slots."""


ON_ROOT = "kubevirt.io/placePCIDevicesOnRootComplex"
"""The annotation that puts PCI devices beside the chipset instead of behind root ports."""


def compile_machine(
    spec: VirtualMachineInstanceSpec, facts: HostFacts, bindings: Bindings, *, prefix: str = "spec"
) -> Machine:
    """The machine for a defaulted spec. ``prefix`` is where the spec stands in its object, for error messages
    ("spec.template.spec" in a VirtualMachine); reasons carry paths relative to the spec.

    Raises ``Invalid`` with every wrong field, or ``HostError`` for what this host or QEMU lacks. The result's ``pins``
    must be given back, in the bindings, whenever the same VM is compiled again.
    """
    try:
        return _compile(spec, facts, bindings)
    except Invalid as error:
        raise under(prefix, error) from None
    except HostError as error:
        error.field = f"{prefix}.{error.field}" if error.field else ""
        raise


def _compile(spec: VirtualMachineInstanceSpec, facts: HostFacts, bindings: Bindings) -> Machine:
    bare = Context(spec, facts, bindings)
    causes: dict[Cause, None] = {}
    trouble: HostError | None = None
    layout = Layout()
    try:
        _architecture(bare)
        layout = layout_of(bare)
    except Invalid as error:
        causes.update(dict.fromkeys(error.causes))
    ctx = Context(spec, facts, bindings, layout)
    options: list[Option] = []
    try:
        options = gather(partial(configurator, ctx) for configurator in CONFIGURATORS)
        options = [launchsecurity.shielded(ctx, option) for option in options]
    except Invalid as error:
        causes.update(dict.fromkeys(error.causes))
    except HostError as error:
        trouble = error
    for problem in checks.problems(options, facts.qemu):
        if isinstance(problem, Invalid):
            causes.update(dict.fromkeys(problem.causes))
        else:
            trouble = trouble or problem
    if causes:
        raise merged(causes)
    if trouble:
        raise trouble
    return Machine(facts.qemu.binary, tuple(options), _pins(ctx))


def _architecture(ctx: Context) -> None:
    asked = ctx.spec.architecture or "amd64"
    if ARCHITECTURES.get(asked) != ctx.facts.qemu.arch:
        hint = "one of " + ", ".join(ARCHITECTURES)
        text = f'architecture "{asked}" cannot run on {ctx.facts.qemu.binary} ({ctx.facts.qemu.arch})'
        raise invalid("architecture", text, reason="FieldValueNotSupported", hint=hint)


def layout_of(ctx: Context) -> Layout:
    """Where every device sits. Raises ``Invalid``."""
    endpoints = gather(partial(source, ctx) for source in ENDPOINTS)
    size, _ = memory.guest_bytes(ctx)
    return allocate(endpoints, ctx.bindings.pins.pci, size, on_root=ctx.annotated(ON_ROOT))


def _pins(ctx: Context) -> Pins:
    """What the guest has now seen."""
    chosen, _ = machine.resolve(ctx)
    macs = {nic.name: nics.mac_address(ctx, index)[0] for index, nic in enumerate(ctx.devices.interfaces)}
    return msgspec.structs.replace(
        ctx.bindings.pins,
        machine=chosen.name,
        uuid=identity.uuid(ctx)[0],
        serial=identity.serial(ctx)[0],
        pci=ctx.layout.pins(),
        macs=macs,
    )
