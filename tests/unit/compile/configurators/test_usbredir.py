"""USB redirection."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import controllers, usbredir
from solovirt.compile.context import Context
from solovirt.kit.errors import HostError
from tests.unit.compile.helpers import context, objects, run

TEXT = "domain: {devices: {clientPassthrough: {}}}"


def test_four_ports_on_a_controller() -> None:
    ctx = context(TEXT)
    assert controllers.usb_needed(ctx)
    devices = objects(usbredir.options(ctx))
    assert [device["port"] for device in devices] == ["1", "2", "3", "4"]
    assert {device["driver"] for device in devices} == {"usb-redir"}
    assert run(usbredir.options) == []


def test_sockets_must_be_there() -> None:
    ctx = context(TEXT)
    sockets = msgspec.structs.replace(ctx.bindings.sockets, usbredir=())
    bare = Context(ctx.spec, ctx.facts, msgspec.structs.replace(ctx.bindings, sockets=sockets), ctx.layout)
    with pytest.raises(HostError, match="0 sockets"):
        list(usbredir.options(bare))
