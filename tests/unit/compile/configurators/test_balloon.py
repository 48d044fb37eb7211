"""The balloon."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import balloon
from solovirt.compile.context import Context
from tests.unit.compile.helpers import context, objects


def text(value: str) -> str:
    return f"domain: {{devices: {{autoattachMemBalloon: {value}}}}}"


@pytest.mark.parametrize("given", ["", text("true")])
def test_balloon(given: str) -> None:
    (device,) = objects(balloon.options(context(given)))
    assert (device["driver"], device["free-page-reporting"]) == ("virtio-balloon-pci-non-transitional", True)


def test_none() -> None:
    ctx = context(text("false"))
    assert not list(balloon.options(ctx)) and not list(balloon.endpoints(ctx))


@pytest.mark.parametrize(
    "domain",
    [
        "{cpu: {dedicatedCpuPlacement: true}}",
        "{cpu: {realtime: {}}}",
        "{memory: {guest: 128Mi, hugepages: {pageSize: 2Mi}}}",
    ],
)
def test_guests_with_promises_keep_their_pages(domain: str) -> None:
    (device,) = objects(balloon.options(context(f"domain: {domain}")))
    assert device["free-page-reporting"] is False


def test_the_annotation() -> None:
    ctx = context()
    bindings = msgspec.structs.replace(ctx.bindings, annotations={balloon.NO_REPORTING: "true"})
    (device,) = objects(balloon.options(Context(ctx.spec, ctx.facts, bindings, ctx.layout)))
    assert device["free-page-reporting"] is False
