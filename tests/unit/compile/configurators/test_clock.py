"""The hardware clock."""

from __future__ import annotations

from solovirt.compile.configurators import clock
from tests.unit.compile.helpers import context, run


def test_utc() -> None:
    assert run(clock.options) == run(clock.options, "domain: {clock: {utc: {}}}") == ["-rtc base=utc"]


def test_reasons() -> None:
    (given,) = clock.options(context("domain: {clock: {utc: {}}}"))
    (default,) = clock.options(context())
    assert (given.why.kind, default.why.kind) == ("manifest", "default")
