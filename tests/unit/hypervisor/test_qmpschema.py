from __future__ import annotations

import gc

import pytest

from solovirt.hypervisor.qmpschema import Schema, schema_of
from tests.support.fakeqemu import SCHEMA, FakeQemu


def test_what_a_schema_knows() -> None:
    schema = Schema(list(SCHEMA))
    assert schema.has_command("screendump") and not schema.has_command("1") and not schema.has_command("nothing")
    assert schema.has_argument("screendump", "format") and not schema.has_argument("screendump", "color")
    assert schema.values("screendump", "format") == ("ppm", "png")
    assert schema.values("screendump", "filename") == schema.values("nothing", "x") == ()


@pytest.mark.parametrize("reply", [None, 7, {}, ["x", 1, {}], [{"name": "screendump", "meta-type": "command"}]])
def test_nonsense_knows_nothing(reply: object) -> None:
    schema = Schema(reply)  # type: ignore[arg-type]
    assert schema.values("screendump", "format") == () and not schema.has_argument("screendump", "filename")


async def test_it_is_asked_once_of_each_machine() -> None:
    first, second = FakeQemu(), FakeQemu()
    assert await schema_of(first) is await schema_of(first)
    assert await schema_of(second) is not await schema_of(first)
    assert (len(first.calls), len(second.calls)) == (1, 1)
    del second
    gc.collect()
