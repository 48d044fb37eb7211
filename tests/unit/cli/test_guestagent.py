"""Replies of guests on their way to a terminal: nothing that they write gets there as it is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.cli import guestagent
from solovirt.cli.guestagent import normal, show, show_pairs, size, whole, yes
from solovirt.kit.errors import GuestError
from solovirt.kit.jsontypes import Json

values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def texts(value: Json) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in texts(item)]
        case dict():
            return [text for key, item in value.items() for text in (key, *texts(item))]
    return []


@settings(max_examples=100)
@given(values)
def test_whatever_comes_is_printable(value: Json) -> None:
    found = normal(value)
    assert all("\x1b" not in text and "\x9b" not in text and "\n" not in text for text in texts(found))
    assert normal(found) == found


def test_nothing_is_nested_for_ever_or_null() -> None:
    value: Json = "deep"
    for _ in range(100):
        value = [value]
    assert "deep" not in texts(normal(value))
    assert normal({"a": None, "b": 1}) == {"b": 1}


def test_other_shapes() -> None:
    with pytest.raises(GuestError, match="guest-x: the guest agent's reply is not a list") as caught:
        guestagent.objects("guest-x", {})
    assert caught.value.reason == "AgentBadReply"
    with pytest.raises(GuestError, match="not an object"):
        guestagent.mapping("guest-x", [])
    assert guestagent.objects("guest-x", [{}, 1, "x", None]) == [{}]
    assert whole({"a": True}, "a") is None and whole({"a": "1"}, "a") is None and whole({"a": 1}, "a") == 1
    assert (yes(True), yes(False), yes(None), yes("x"), yes(1)) == ("yes", "no", "", "", "")


def test_sizes() -> None:
    assert [size(n) for n in (None, 0, 1023, 1024, 5 << 30, -2048, 1 << 63)] == [
        "", "0 B", "1023 B", "1.0 KiB", "5.0 GiB", "-2.0 KiB", "8192.0 PiB",
    ]  # fmt: skip


def test_tables_are_clean_and_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    show("", [], ("A", "B"), [("x\x1b[31m", "y" * 1000)])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["A", "B"] and "\x1b" not in row and len(row) < 300
    show_pairs("", {}, [("Name", "a\x07b"), ("Empty", "")])
    assert capsys.readouterr().out == "Name:  a b\n"
    show("json", {"a": 1}, (), ())
    assert capsys.readouterr().out == '{\n    "a": 1\n}\n'
