"""Nothing that a string holds can end a value early or start another key. QEMU's parser is modelled here."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.compile import render
from solovirt.compile.options import JsonValue, KeyValues, Machine, Option, Prop, Word
from solovirt.compile.reasons import default, manifest
from solovirt.host.model.bindings import Pins
from solovirt.kit.errors import Invalid

WHY = default("test")
text = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(list(",='\"\\{}:;$` é")), max_size=40)
settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")


def parse(value: str) -> dict[str, str]:
    """QEMU's opts parser: ``,,`` is a comma, ``,`` ends a value, the first ``=`` ends a key (util/qemu-option.c)."""
    found: dict[str, str] = {}
    key, current, index = "", "", 0
    while index <= len(value):
        char = value[index : index + 1]
        if char == "," and value[index + 1 : index + 2] == ",":
            current += ","
            index += 2
        elif char in ("", ","):
            found[key] = current
            key, current = "", ""
            index += 1
        elif char == "=" and not key:
            key, current = current, ""
            index += 1
        else:
            current += char
            index += 1
    return found


@given(st.lists(text, min_size=1, max_size=4))
def test_key_values_survive_qemus_parser(values: list[str]) -> None:
    props = tuple(Prop(f"k{index}", value, WHY) for index, value in enumerate(values))
    (word,) = render.value(Option("-x", KeyValues("", None, props), WHY))
    assert parse(word) == {f"k{index}": value for index, value in enumerate(values)}


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), text | st.integers(-9, 2**53) | st.booleans() | st.none()))
def test_json_survives(values: dict[str, str | int | bool | None]) -> None:
    described = JsonValue(tuple(Prop(key, value, WHY) for key, value in values.items()))
    (word,) = render.value(Option("-device", described, WHY))
    assert json.loads(word) == values == render.arguments(described)


@given(text)
def test_a_word_is_verbatim(word: str) -> None:
    assert render.value(Option("-append", Word(word, WHY), WHY)) == [word]


@pytest.mark.parametrize("bad", ["\n", "\r", "\0", "\x1b[2J", "\x7f", "\ud800"])
def test_control_characters_are_refused_with_their_field(bad: str) -> None:
    why = manifest("domain.firmware.serial", "x")
    for value in (
        Word(f"a{bad}", why),
        KeyValues("", None, (Prop("serial", f"a{bad}", why),)),
        JsonValue((Prop("serial", f"a{bad}", why),)),
        JsonValue((Prop("list", [{"str": f"a{bad}"}], why),)),
    ):
        with pytest.raises(Invalid) as caught:
            render.value(Option("-x", value, why))
        assert caught.value.causes[0].field == "domain.firmware.serial"


def test_booleans_and_heads() -> None:
    props = (Prop("server", True, WHY), Prop("wait", False, WHY), Prop("n", 3, WHY))
    assert render.value(Option("-chardev", KeyValues("so,cket", WHY, props), WHY)) == [
        "so,,cket,server=on,wait=off,n=3"
    ]


def test_structures_have_no_key_value_form() -> None:
    with pytest.raises(TypeError):
        render.pair(Prop("a", ["b"], WHY))


def test_argv_has_the_binary_first_and_flags_alone() -> None:
    machine = Machine("/usr/bin/qemu", (Option("-S", None, WHY), Option("-rtc", Word("base=utc", WHY), WHY)), Pins())
    assert render.argv(machine) == ["/usr/bin/qemu", "-S", "-rtc", "base=utc"]
