"""The hardware clock, and late ticks."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import clock
from solovirt.kit.errors import HostError
from tests.unit.compile.helpers import context, lines, run


def test_utc() -> None:
    assert run(clock.options) == run(clock.options, "domain: {clock: {utc: {}}}") == ["-rtc base=utc"]
    assert run(clock.options, "domain: {clock: {utc: {offsetSeconds: 0}}}") == ["-rtc base=utc"]


def test_reasons() -> None:
    (given,) = clock.options(context("domain: {clock: {utc: {}}}"))
    (default,) = clock.options(context())
    assert (given.why.kind, default.why.kind) == ("manifest", "default")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("utc: {offsetSeconds: -60}", "domain.clock.utc.offsetSeconds"),
        ("timezone: Europe/Berlin", "domain.clock.timezone"),
        ("utc: {offsetSeconds: -60}, timezone: Europe/Berlin", "domain.clock.utc.offsetSeconds"),
    ],
)
def test_other_times_are_worked_out_by_the_host(text: str, path: str) -> None:
    ctx = context(f"domain: {{clock: {{{text}}}}}")
    bound = msgspec.structs.replace(ctx.bindings, rtc_base="2026-01-31T13:00:00")
    (option,) = clock.options(type(ctx)(ctx.spec, ctx.facts, bound, ctx.layout))
    assert lines([option]) == ["-rtc base=2026-01-31T13:00:00"] and option.why.path == path
    unbound = msgspec.structs.replace(ctx.bindings, rtc_base="")
    with pytest.raises(HostError) as caught:
        list(clock.options(type(ctx)(ctx.spec, ctx.facts, unbound, ctx.layout)))
    assert caught.value.field == path


@pytest.mark.parametrize(
    ("timer", "rtc", "pit"),
    [
        ("rtc: {}", ",driftfix=none", ""),
        ("rtc: {tickPolicy: catchup}", ",driftfix=slew", ""),
        ("rtc: {tickPolicy: delay, track: guest}", ",clock=vm,driftfix=none", ""),
        ("rtc: {track: wall, present: false}", ",clock=host,driftfix=none", ""),
        ("pit: {}", "", "delay"),
        ("pit: {tickPolicy: delay}", "", "delay"),
        ("pit: {tickPolicy: catchup}", "", "delay"),
        ("pit: {tickPolicy: discard}", "", "discard"),
        ("pit: {present: false, tickPolicy: delay}", "", ""),
        ("hpet: {}, kvm: {}, hyperv: {}", "", ""),
    ],
)
def test_timers(timer: str, rtc: str, pit: str) -> None:
    found = run(clock.options, f"domain: {{clock: {{timer: {{{timer}}}}}}}")
    assert found[0] == f"-rtc base=utc{rtc}"
    assert found[1:] == ([f"-global kvm-pit.lost_tick_policy={pit}"] if pit else [])


def test_a_clock_that_cannot_go_is_said() -> None:
    (option,) = clock.options(context("domain: {clock: {timer: {rtc: {present: false}}}}"))
    assert "changes nothing" in str(option.value)
