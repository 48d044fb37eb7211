"""What KVM tells its guests about itself, as properties of -cpu: clock, spinlocks, end of interrupt, hints, hiding.

Emulation has none of it; there the properties say off, since QEMU would warn about each. In libvirt's order.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.configurators import hyperv, panic
from solovirt.compile.context import Context
from solovirt.compile.options import Prop
from solovirt.compile.reasons import manifest, needs

FEATURES = "domain.features"
CPU = "domain.cpu"


def properties(ctx: Context) -> list[Prop]:
    """Each key once; the first one counts."""
    found: dict[str, Prop] = {}
    for prop in (*_clock(ctx), *_interrupts(ctx), *hyperv.properties(ctx), *panic.cpu_flags(ctx), *_hints(ctx)):
        found.setdefault(prop.key, prop)
    return list(found.values())


def _clock(ctx: Context) -> Iterator[Prop]:
    clock = ctx.spec.domain.clock
    timer = clock.timer.kvm if clock and clock.timer else None
    if timer is not None:
        yield _of_kvm(ctx, "kvmclock", timer.present is not False, "domain.clock.timer.kvm", "KVM's clock for guests")


def _interrupts(ctx: Context) -> Iterator[Prop]:
    features = ctx.spec.domain.features
    if features is None:
        return
    apic = features.apic
    if apic is not None:
        text = "local interrupt controllers"
        if apic.enabled is False:
            text += "; on all the same: the machine has them in KubeVirt too, whatever enabled says"
        yield Prop("apic", True, manifest(f"{FEATURES}.apic.enabled", text))
        if apic.end_of_interrupt is not None:
            text = "the guest ends an interrupt without an exit"
            path = f"{FEATURES}.apic.endOfInterrupt"
            yield _of_kvm(ctx, "kvm-pv-eoi", apic.end_of_interrupt, path, text)
    if features.pvspinlock is not None:
        text = "a vCPU that waits for a lock sleeps, and is woken"
        path = f"{FEATURES}.pvspinlock.enabled"
        yield _of_kvm(ctx, "kvm-pv-unhalt", features.pvspinlock.enabled is not False, path, text)


def _hints(ctx: Context) -> Iterator[Prop]:
    features, cpu = ctx.spec.domain.features, ctx.spec.domain.cpu
    if features is not None and features.kvm is not None:
        hidden = features.kvm.hidden is True
        text = "the guest does not see that it runs on KVM" if hidden else "the guest sees that it runs on KVM"
        yield Prop("kvm", not hidden, manifest(f"{FEATURES}.kvm.hidden", text))
    if cpu is not None and cpu.dedicated_cpu_placement:
        text = "the guest need not give up a CPU that is its own"
        yield _of_kvm(ctx, "kvm-hint-dedicated", True, f"{CPU}.dedicatedCpuPlacement", text)
    if cpu is not None and cpu.realtime is not None:
        yield Prop("pmu", False, manifest(f"{CPU}.realtime", "performance counters cost latency"))
    security = ctx.spec.domain.launch_security
    if security is not None and security.tdx is not None:
        yield Prop("pmu", False, needs("trust domains have no performance counters", "domain.launchSecurity.tdx"))


def _of_kvm(ctx: Context, key: str, on: bool, path: str, text: str) -> Prop:
    if on and ctx.facts.accel == "tcg":
        return Prop(key, False, manifest(path, f"{text}; off, as emulation has none"))
    return Prop(key, on, manifest(path, text))
