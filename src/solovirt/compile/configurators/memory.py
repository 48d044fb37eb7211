"""-m and the memory objects, with a virtio-mem device when the guest may grow (``memory.maxGuest``)."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.compile.configurators import topology
from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, manifest, needs
from solovirt.kit.quantity import format_bytes, to_bytes

BACKEND = "pc.ram"
GROWTH = "virtiomem0"
_GROWTH_BACKEND = f"mem{GROWTH}"
_MIB = 1024**2
_BLOCK = 2 * _MIB
"""Unit in which memory is plugged: the size of a transparent huge page."""
GUEST = "domain.memory.guest"
MAX_GUEST = "domain.memory.maxGuest"


def options(ctx: Context) -> Iterator[Option]:
    size, path = guest_bytes(ctx)
    extra = growth_bytes(ctx)
    why = manifest(path, f"{format_bytes(size)} of guest memory, in whole MiB")
    amounts = [Prop("size", f"{size // 1024}k", why)]
    if extra:
        amounts.append(Prop("maxmem", f"{(size + extra) // 1024}k", manifest(MAX_GUEST, "what the guest may grow to")))
    yield Option("-m", KeyValues("", None, tuple(amounts)), why)
    backend = needs("libvirt's name for main memory; keeps the machine migratable")
    yield Option(
        "-object",
        JsonValue(
            (
                Prop("qom-type", "memory-backend-ram", default("anonymous memory", "domain.memory")),
                Prop("id", BACKEND, backend),
                Prop("size", size, why),
            )
        ),
        why,
    )
    unlocked = default("guest memory may be swapped and overcommitted")
    yield Option("-overcommit", KeyValues("", None, (Prop("mem-lock", False, unlocked),)), unlocked)


def node(ctx: Context) -> Iterator[Option]:
    """One NUMA node over everything: ACPI needs it to describe memory that may come later."""
    if not hotplug(ctx):
        return
    last = topology.resolve(ctx).max_vcpus - 1
    why = needs("memory can only be added to a NUMA node", MAX_GUEST)
    yield Option(
        "-numa",
        KeyValues(
            "node",
            why,
            (
                Prop("nodeid", 0, why),
                Prop("cpus", f"0-{last}" if last else "0", why),
                Prop("memdev", BACKEND, needs("main memory belongs to the node")),
            ),
        ),
        why,
    )


def growth(ctx: Context) -> Iterator[Option]:
    """The virtio-mem device; its ``requested-size`` moves while the guest runs."""
    extra = growth_bytes(ctx)
    if not extra:
        return
    why = manifest(MAX_GUEST, "memory that may be added while the guest runs")
    yield Option(
        "-object",
        JsonValue(
            (
                Prop("qom-type", "memory-backend-ram", default("anonymous memory", MAX_GUEST)),
                Prop("id", _GROWTH_BACKEND, needs("backend of the virtio-mem device")),
                Prop("size", extra, manifest(MAX_GUEST, f"maxGuest minus guest: {format_bytes(extra)}")),
                Prop("reserve", False, default("costs the host nothing until it is plugged")),
            )
        ),
        why,
    )
    yield Option(
        "-device",
        JsonValue(
            (
                Prop("driver", "virtio-mem-pci", why),
                Prop("node", 0, needs("the NUMA node that grows")),
                Prop("block-size", _BLOCK, default("unit of plugging: a transparent huge page")),
                Prop("requested-size", 0, default("nothing is plugged at start")),
                Prop("memdev", _GROWTH_BACKEND, needs("its backend")),
                Prop("id", GROWTH, needs("name of the device for QMP")),
                *ctx.layout.place(GROWTH).props(),
            )
        ),
        why,
    )


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if hotplug(ctx):
        yield Endpoint(GROWTH, "pci", field=MAX_GUEST, fixed=True)


def guest_bytes(ctx: Context) -> tuple[int, str]:
    """Guest memory in whole MiB (as libvirt rounds it), and the field it came from. Raises ``Invalid``."""
    domain = ctx.spec.domain
    if domain.memory and domain.memory.guest is not None:
        return _mebibytes(domain.memory.guest, GUEST), GUEST
    for kind, amounts in (("requests", domain.resources.requests), ("limits", domain.resources.limits)):
        if "memory" in amounts:
            path = f"domain.resources.{kind}.memory"
            return _mebibytes(amounts["memory"], path), path
    raise invalid(GUEST, "no memory requested", reason="FieldValueRequired", hint=f"set {GUEST}, for example 1Gi")


def growth_bytes(ctx: Context) -> int:
    """What may be added later, in whole blocks; 0 without ``maxGuest``. Raises ``Invalid``."""
    memory = ctx.spec.domain.memory
    if memory is None or memory.max_guest is None:
        return 0
    size, _ = guest_bytes(ctx)
    most = _mebibytes(memory.max_guest, MAX_GUEST)
    if most < size:
        raise invalid(MAX_GUEST, f"must not be less than guest ({format_bytes(size)})")
    return (most - size) // _BLOCK * _BLOCK


def hotplug(ctx: Context) -> bool:
    return growth_bytes(ctx) > 0


def _mebibytes(amount: Quantity, path: str) -> int:
    try:
        size = to_bytes(amount)
    except ValueError as error:
        raise invalid(path, str(error)) from None
    if size <= 0:
        raise invalid(path, "must be greater than 0")
    return -(-size // _MIB) * _MIB
