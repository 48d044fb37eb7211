"""-m and the memory objects; for a guest that may grow (``memory.maxGuest``) a virtio-mem device and room for DIMMs.

Which of the two grows is decided while the guest runs; both are described here. Must not know running machines.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.kubevirt.defaulting.compute import DIMM_SLOTS
from solovirt.compile import ram
from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop
from solovirt.compile.ram import GUEST, MAX_GUEST, dimm_bytes, growth_bytes, guest_bytes, virtio_mem_bytes
from solovirt.compile.reasons import default, manifest, needs
from solovirt.kit.quantity import format_bytes

GROWTH = "virtiomem0"
_GROWTH_BACKEND = f"mem{GROWTH}"
_BLOCK = 2 * 1024**2
"""Unit in which memory is plugged: the size of a transparent huge page."""

__all__ = ["GUEST", "MAX_GUEST", "growth_bytes", "guest_bytes"]

DIMM = "dimm"
"""DIMMs are called dimm0, dimm1 and so on."""


def options(ctx: Context) -> Iterator[Option]:
    size, path = guest_bytes(ctx)
    virtio, dimms = virtio_mem_bytes(ctx), dimm_bytes(ctx)
    why = manifest(path, f"{format_bytes(size)} of guest memory, in whole MiB")
    amounts = [Prop("size", f"{size // 1024}k", why)]
    if dimms:
        amounts.append(Prop("slots", DIMM_SLOTS, manifest(MAX_GUEST, "DIMMs, for guests that have no virtio-mem")))
    if virtio or dimms:
        both = " twice: by virtio-mem or by DIMMs" if virtio and dimms else ""
        room = manifest(MAX_GUEST, f"addresses for what the guest may grow by{both}; they cost the host nothing")
        amounts.append(Prop("maxmem", f"{(size + virtio + dimms) // 1024}k", room))
    yield Option("-m", KeyValues("", None, tuple(amounts)), why)
    kind, *more = ram.backing(ctx)
    for node in ram.nodes(ctx) or [ram.Node(0, ram.MAIN, size, None, None, why)]:
        name = needs("libvirt's name for main memory; keeps the machine migratable")
        if node.backend != ram.MAIN:
            name = needs(f"memory of the guest's NUMA node {node.number}")
        share = why if node.memory == size else node.why
        identity = (Prop("id", node.backend, name), *more, Prop("size", node.memory, share), *ram.bound(node))
        yield Option("-object", JsonValue((kind, *identity)), why)
    yield _overcommit(ctx)


def growth(ctx: Context) -> Iterator[Option]:
    """The virtio-mem device; its ``requested-size`` moves while the guest runs."""
    extra = virtio_mem_bytes(ctx)
    if not extra:
        return
    why = manifest(MAX_GUEST, "memory that may be added while the guest runs")
    kind, *more = ram.backing(ctx, preallocated=False)
    yield Option(
        "-object",
        JsonValue(
            (
                kind,
                Prop("id", _GROWTH_BACKEND, needs("backend of the virtio-mem device")),
                *more,
                Prop("size", extra, manifest(MAX_GUEST, f"maxGuest minus guest: {format_bytes(extra)}")),
                Prop("reserve", False, default("costs the host nothing until it is plugged")),
            )
        ),
        why,
    )
    page = ram.page_size(ctx)
    unit = manifest(ram.PAGE_SIZE, "unit of plugging: a huge page") if page else default(_UNIT)
    taken = (
        [Prop("prealloc", True, default("a pool that is too small is noticed when memory is added"))] if page else []
    )
    yield Option(
        "-device",
        JsonValue(
            (
                Prop("driver", "virtio-mem-pci", why),
                Prop("node", 0, needs("the NUMA node that grows")),
                Prop("block-size", max(_BLOCK, page), unit),
                Prop("requested-size", 0, default("nothing is plugged at start")),
                Prop("memdev", _GROWTH_BACKEND, needs("its backend")),
                *taken,
                Prop("id", GROWTH, needs("name of the device for QMP")),
                *ctx.layout.place(GROWTH).props(),
            )
        ),
        why,
    )


_UNIT = "unit of plugging: a transparent huge page"


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if hotplug(ctx):
        yield Endpoint(GROWTH, "pci", field=MAX_GUEST, fixed=True)


def hotplug(ctx: Context) -> bool:
    """Whether the machine has a virtio-mem device."""
    return virtio_mem_bytes(ctx) > 0


def dimm(ctx: Context, name: str, size: int) -> tuple[JsonValue, JsonValue]:
    """A DIMM of ``size`` bytes for a running machine: its backend (``object-add``) and itself (``device_add``)."""
    why = manifest(GUEST, f"{format_bytes(size)} more than the guest was started with")
    backend = f"mem{name}"
    kind, *more = ram.backing(ctx)
    return (
        JsonValue(
            (kind, Prop("id", backend, needs("backend of the DIMM")), *more, Prop("size", size, why)),
        ),
        JsonValue(
            (
                Prop("driver", "pc-dimm", why),
                Prop("id", name, needs("name of the device for QMP")),
                Prop("memdev", backend, needs("its backend")),
                Prop("node", 0, needs("the NUMA node that grows")),
            )
        ),
    )


def _overcommit(ctx: Context) -> Option:
    cpu, memory = ctx.spec.domain.cpu, ctx.spec.domain.memory
    if cpu is not None and cpu.realtime is not None:
        locked, why = True, manifest("domain.cpu.realtime", "a page that is not there would cost its deadline")
    elif memory is not None and memory.reserved_overhead and memory.reserved_overhead.mem_lock == "Required":
        path = "domain.memory.reservedOverhead.memLock"
        locked, why = True, manifest(path, "the guest's memory and QEMU's own stay in RAM")
    else:
        locked, why = False, default("guest memory may be swapped and overcommitted")
    return Option("-overcommit", KeyValues("", None, (Prop("mem-lock", locked, why),)), why)
