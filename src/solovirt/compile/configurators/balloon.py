"""The memory balloon."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile import virtio
from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default, manifest, needs

PATH = "domain.devices.autoattachMemBalloon"
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
                Prop("free-page-reporting", True, default("pages that the guest frees go back to the host at once")),
                *ctx.layout.place(_DEVICE).props(),
            )
        ),
        why,
    )


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if ctx.devices.autoattach_mem_balloon is not False:
        yield Endpoint(_DEVICE, virtio.pool(ctx), fixed=True)
