"""-accel: KVM when it works on this host, else emulation."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option
from solovirt.compile.reasons import host
from solovirt.kit.errors import HostError

_TEXT = {"kvm": "KVM works on this host", "tcg": "software emulation"}


def options(ctx: Context) -> Iterator[Option]:
    accel = ctx.facts.accel
    if accel not in _TEXT:
        raise HostError(f'unknown accelerator "{accel}" in the facts', reason="InvalidFacts", hint="kvm or tcg")
    why = host(_TEXT[accel] + (f": {ctx.facts.accel_reason}" if ctx.facts.accel_reason else ""))
    yield Option("-accel", KeyValues(accel, why), why)
