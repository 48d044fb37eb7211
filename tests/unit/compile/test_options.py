"""JsonValue finds its props."""

from __future__ import annotations

from solovirt.compile.options import JsonValue, Prop
from solovirt.compile.reasons import default


def test_get_finds_a_prop_by_key() -> None:
    described = JsonValue((Prop("id", "a", default("x")), Prop("bus", "b", default("y"))))
    found = described.get("bus")
    assert found is not None and found.value == "b"
    assert described.get("addr") is None
