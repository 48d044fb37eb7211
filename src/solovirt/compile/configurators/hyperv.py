"""Hyper-V enlightenments as properties of -cpu (``features.hyperv``, ``features.hypervPassthrough``).

Emulation takes the properties and gives the guest none of them; it refuses hv-vpindex alone, so that is off there.
Sources: QEMU docs/system/i386/hyperv.rst and target/i386/kvm/kvm.c (what needs what), libvirt (the order).
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.kubevirt.defaulting.features import disabled, enabled
from solovirt.api.kubevirt.spec.features import FeatureHyperv, FeatureState
from solovirt.compile.context import Context
from solovirt.compile.options import Prop, Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import manifest, needs

PATH = "domain.features.hyperv"
PASSTHROUGH = "domain.features.hypervPassthrough"
TIMER = "domain.clock.timer.hyperv"
NEVER = "0xffffffff"
"""Spinlock retries after which nobody ever tells the hypervisor: QEMU's way to have no such hint."""
_QEMU_VENDOR = "Microsoft Hv"
_ABOUT = {
    "relaxed": "no watchdog timeouts in Windows when the host is busy",
    "vapic": "fast access to the interrupt controller",
    "spinlocks": "a vCPU that waits for a lock says so after this many tries",
    "vpindex": "vCPUs have numbers that hypercalls can name",
    "runtime": "how long a vCPU really ran",
    "synic": "Hyper-V's interrupt controller for messages and timers",
    "synictimer": "timers in the hypervisor",
    "reset": "a register that resets the machine",
    "vendorid": "the hypervisor's name, as the guest sees it",
    "frequencies": "frequencies of TSC and APIC in registers",
    "reenlightenment": "the guest is told when the TSC's frequency changes, as by migration",
    "tlbflush": "TLBs of other vCPUs are flushed by a hypercall",
    "ipi": "interrupts between vCPUs by a hypercall",
    "evmcs": "nested Hyper-V keeps its VMCS where KVM reads it without exits",
}
_NAMES = {"synictimer": "stimer", "vendorid": "vendor-id"}


def properties(ctx: Context) -> Iterator[Prop]:
    """Raises ``Invalid`` when something that is needed is switched off."""
    yield from _time(ctx)
    features = ctx.spec.domain.features
    if features is None:
        return
    if features.hyperv_passthrough is not None:
        on = features.hyperv_passthrough.enabled is True
        yield Prop("hv-passthrough", on, _why(ctx, PASSTHROUGH, "every enlightenment that this host's KVM has"))
    if features.hyperv is not None:
        for name in _ABOUT:
            if getattr(features.hyperv, name) is not None:
                yield from _enlightenment(ctx, features.hyperv, name)
        yield from _unasked(features.hyperv)


def _time(ctx: Context) -> Iterator[Prop]:
    clock, features = ctx.spec.domain.clock, ctx.spec.domain.features
    timer = clock.timer.hyperv if clock and clock.timer else None
    hyperv = features.hyperv if features else None
    wanted = hyperv is not None and enabled(hyperv, "synictimer")
    if timer is not None:
        if wanted and timer.present is False:
            raise invalid(f"{PATH}.synictimer", f"'{PATH}.synictimer' requires '{TIMER}', which was disabled.")
        yield Prop("hv-time", timer.present is not False, _why(ctx, TIMER, "Hyper-V's reference counter and TSC page"))
    elif wanted:
        yield Prop("hv-time", True, needs("hv-stimer counts in its time", f"{PATH}.synictimer"))


def _enlightenment(ctx: Context, hyperv: FeatureHyperv, name: str) -> Iterator[Prop]:
    key, path, on = f"hv-{_NAMES.get(name, name)}", f"{PATH}.{name}", enabled(hyperv, name)
    why = _why(ctx, path, _ABOUT[name])
    match name:
        case "spinlocks" if hyperv.spinlocks is not None:
            retries = hyperv.spinlocks.retries
            yield Prop(key, hex(4096 if retries is None else retries) if on else NEVER, why)
        case "vendorid" if hyperv.vendorid is not None:
            yield Prop(key, hyperv.vendorid.vendor_id if on else _QEMU_VENDOR, why)
        case "vpindex" if ctx.facts.accel == "tcg":
            yield Prop(key, False, manifest(path, f"{_ABOUT[name]}; off, as emulation refuses it"))
        case _:
            yield Prop(key, on, why)
    if name == "synictimer" and hyperv.synictimer is not None:
        yield from _part(ctx, f"{key}-direct", f"{path}.direct", hyperv.synictimer.direct, on)
    if name == "tlbflush" and hyperv.tlbflush is not None:
        direct = hyperv.tlbflush.direct
        if on and direct is not None and direct.enabled is not False and disabled(hyperv, "vapic"):
            raise invalid(f"{path}.direct", f"'{path}.direct' requires '{PATH}.vapic', which was disabled.")
        yield from _part(ctx, f"{key}-direct", f"{path}.direct", direct, on)
        yield from _part(ctx, f"{key}-ext", f"{path}.extended", hyperv.tlbflush.extended, on)


def _part(ctx: Context, key: str, path: str, state: FeatureState | None, whole: bool) -> Iterator[Prop]:
    """A refinement of an enlightenment, which is nothing without it."""
    if state is not None:
        text = {"direct": "delivered without a message in between", "extended": "flushes name ranges of addresses"}
        on = whole and state.enabled is not False
        yield Prop(key, on, _why(ctx, path, text[path.rpartition(".")[2]]))


def _unasked(hyperv: FeatureHyperv) -> Iterator[Prop]:
    """What QEMU wants beside direct TLB flushes, and nobody wrote down."""
    flush = hyperv.tlbflush
    direct = enabled(hyperv, "tlbflush") and flush is not None and flush.direct is not None
    if direct and flush and flush.direct and flush.direct.enabled is not False and hyperv.vapic is None:
        yield Prop("hv-vapic", True, needs("hv-tlbflush-direct needs it", f"{PATH}.tlbflush.direct"))


def _why(ctx: Context, path: str, text: str) -> Reason:
    return manifest(path, text + ("; emulation gives the guest none of it" if ctx.facts.accel == "tcg" else ""))
