"""-rtc and the interval timer: what the guest's hardware clock shows, and what becomes of ticks that come too late.

Timers that are CPU properties stand in ``paravirt`` and ``hyperv``, those that are the chipset's in ``machine``.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.kubevirt.spec.clock import Timers
from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop, Reason
from solovirt.compile.reasons import default, manifest
from solovirt.kit.errors import HostError

PATH = "domain.clock"
RTC = f"{PATH}.timer.rtc"
PIT = f"{PATH}.timer.pit"


def options(ctx: Context) -> Iterator[Option]:
    clock = ctx.spec.domain.clock
    base, why = _base(ctx)
    timers = (clock.timer if clock else None) or Timers()
    yield Option("-rtc", KeyValues("", None, (Prop("base", base, why), *_rtc(timers))), why)
    pit = timers.pit
    if pit is not None and pit.present is not False:
        policy, text = _PIT[pit.tick_policy]
        if ctx.facts.accel == "tcg":
            text += "; emulation's timer has no policy"
        reason = manifest(PIT, text)
        yield Option("-global", KeyValues("", None, (Prop("kvm-pit.lost_tick_policy", policy, reason),)), reason)


def _base(ctx: Context) -> tuple[str, Reason]:
    """What the clock shows at the start. Raises ``HostError`` when that was not worked out."""
    clock = ctx.spec.domain.clock
    if clock is None or (clock.utc is None and not clock.timezone):
        return "utc", default("the hardware clock shows UTC", PATH)
    beside = "; timezone is not looked at beside it" if clock.utc is not None and clock.timezone else ""
    if clock.utc is not None and not clock.utc.offset_seconds:
        return "utc", manifest(f"{PATH}.utc", f"the hardware clock shows UTC{beside}")
    if clock.utc is not None:
        path = f"{PATH}.utc.offsetSeconds"
        text = f"UTC and {clock.utc.offset_seconds} seconds, as it is at the start{beside}"
    else:
        path, text = f"{PATH}.timezone", f"the time in {clock.timezone} at the start; the guest changes it for summer"
    if not ctx.bindings.rtc_base:
        raise HostError("the time at the start is not known", reason="InvalidBindings", field=path)
    return ctx.bindings.rtc_base, manifest(path, text)


def _rtc(timers: Timers) -> Iterator[Prop]:
    rtc = timers.rtc
    if rtc is None:
        return
    stays = "; present: false changes nothing, as every PC has one" if rtc.present is False else ""
    if rtc.track:
        text = (
            "the clock stands still while the guest is paused"
            if rtc.track == "guest"
            else "the clock follows the host's"
        )
        yield Prop("clock", "vm" if rtc.track == "guest" else "host", manifest(f"{RTC}.track", text))
    catchup = rtc.tick_policy == "catchup"
    text = "ticks that were missed are delivered faster" if catchup else "ticks that were missed come late"
    path = f"{RTC}.tickPolicy" if rtc.tick_policy else RTC
    yield Prop("driftfix", "slew" if catchup else "none", manifest(path, text + stays))


_PIT = {
    "": ("delay", "ticks that were missed are delivered later"),
    "delay": ("delay", "ticks that were missed are delivered later"),
    "catchup": ("delay", "ticks that were missed are delivered later, which is as near as KVM comes to catching up"),
    "discard": ("discard", "ticks that were missed are dropped"),
}
