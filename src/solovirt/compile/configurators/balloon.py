"""The memory balloon."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile import virtio
from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default, manifest, needs

PATH = "domain.devices.autoattachMemBalloon"
NO_REPORTING = "kubevirt.io/free-page-reporting-disabled"
"""An annotation."""
_DEVICE = "balloon0"


def options(ctx: Context) -> Iterator[Option]:
    attach = ctx.devices.autoattach_mem_balloon
    if attach is False:
        return
    text = "tells how much memory the guest uses and takes back what it does not"
    why = manifest(PATH, text) if attach else default(text, PATH)
    yield Option(
        "-device",
        JsonValue(
            (
                virtio.driver(ctx, "virtio-balloon", why),
                Prop("id", _DEVICE, needs("name of the device for QMP")),
                _reporting(ctx),
                *ctx.layout.place(_DEVICE).props(),
            )
        ),
        why,
    )


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if ctx.devices.autoattach_mem_balloon is not False:
        yield Endpoint(_DEVICE, virtio.pool(ctx), fixed=True)


def _reporting(ctx: Context) -> Prop:
    """Giving pages back and getting them again costs time that guests with promises about time do not have."""
    key, cpu, memory = "free-page-reporting", ctx.spec.domain.cpu, ctx.spec.domain.memory
    if ctx.annotated(NO_REPORTING):
        return Prop(key, False, manifest(f"metadata.annotations[{NO_REPORTING}]", "pages stay with the guest"))
    if cpu is not None and cpu.dedicated_cpu_placement:
        return Prop(key, False, needs("the guest's dedicated CPUs shall not wait for pages", "domain.cpu"))
    if cpu is not None and cpu.realtime is not None:
        return Prop(key, False, needs("a real-time guest shall not wait for pages", "domain.cpu.realtime"))
    if memory is not None and memory.hugepages is not None:
        return Prop(key, False, needs("huge pages are reserved for the guest", "domain.memory.hugepages"))
    return Prop(key, True, default("pages that the guest frees go back to the host at once"))
