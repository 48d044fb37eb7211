"""vsock."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import vsock
from solovirt.compile.context import Context
from solovirt.kit.errors import HostError
from tests.unit.compile.helpers import context, objects, run

TEXT = "domain: {devices: {autoattachVSOCK: true}}"


def with_cid(cid: int) -> Context:
    ctx = context(TEXT)
    return Context(ctx.spec, ctx.facts, msgspec.structs.replace(ctx.bindings, vsock_cid=cid), ctx.layout)


def test_the_guests_number() -> None:
    (device,) = objects(vsock.options(with_cid(4711)))
    assert (device["driver"], device["guest-cid"]) == ("vhost-vsock-pci-non-transitional", 4711)
    assert run(vsock.options) == []


@pytest.mark.parametrize("cid", [0, 2, 2**32 - 1])
def test_reserved_numbers(cid: int) -> None:
    with pytest.raises(HostError, match="no vsock number"):
        list(vsock.options(with_cid(cid)))
