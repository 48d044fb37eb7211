"""The balloon."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import balloon
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
