"""The random number generator (``devices.rng``)."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile import virtio
from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default, manifest, needs

PATH = "domain.devices.rng"
_SOURCE = "objrng0"
_DEVICE = "rng0"


def options(ctx: Context) -> Iterator[Option]:
    if ctx.devices.rng is None:
        return
    why = manifest(PATH, "a source of randomness for the guest")
    yield Option(
        "-object",
        JsonValue(
            (
                Prop("qom-type", "rng-random", why),
                Prop("id", _SOURCE, needs("source of the rng device")),
                Prop("filename", "/dev/urandom", default("the host's random numbers")),
            )
        ),
        why,
    )
    yield Option(
        "-device",
        JsonValue(
            (
                virtio.driver(ctx, "virtio-rng", why),
                Prop("rng", _SOURCE, needs("its source")),
                Prop("id", _DEVICE, needs("name of the device for QMP")),
                *ctx.layout.place(_DEVICE).props(),
            )
        ),
        why,
    )


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if ctx.devices.rng is not None:
        yield Endpoint(_DEVICE, virtio.pool(ctx), fixed=True)
