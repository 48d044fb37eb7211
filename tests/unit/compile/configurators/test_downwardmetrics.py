"""The metrics channel."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import downwardmetrics
from solovirt.compile.context import Context
from solovirt.kit.errors import HostError
from tests.unit.compile.helpers import context, objects, run

TEXT = "domain: {devices: {downwardMetrics: {}}}"


def test_a_port_with_vhostmds_name() -> None:
    (device,) = objects(downwardmetrics.options(context(TEXT)))
    assert (device["name"], device["nr"], device["chardev"]) == ("org.github.vhostmd.1", 2, "charchannel1")
    assert run(downwardmetrics.options) == []


def test_its_socket_must_be_there() -> None:
    ctx = context(TEXT)
    sockets = msgspec.structs.replace(ctx.bindings.sockets, downward_metrics="")
    bare = Context(ctx.spec, ctx.facts, msgspec.structs.replace(ctx.bindings, sockets=sockets), ctx.layout)
    with pytest.raises(HostError, match="no socket"):
        list(downwardmetrics.options(bare))
