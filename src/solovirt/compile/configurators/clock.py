"""-rtc: what the guest's hardware clock shows."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop
from solovirt.compile.reasons import default, manifest


def options(ctx: Context) -> Iterator[Option]:
    clock = ctx.spec.domain.clock
    if clock and clock.utc:
        why = manifest("domain.clock.utc", "the hardware clock shows UTC")
    else:
        why = default("the hardware clock shows UTC", "domain.clock")
    yield Option("-rtc", KeyValues("", None, (Prop("base", "utc", why),)), why)
