from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.compile.options import KeyValues, Option, Prop, Reason
from solovirt.compile.render import value
from solovirt.kit.errors import BadRequest
from solovirt.translate.words import MAX_TEXT, Flag, key_values, number, parse, size, split

WHY = Reason("default", "for the test")
TEXTS = st.text(st.characters(min_codepoint=32, blacklist_categories=["Cs"]), max_size=30).filter(
    lambda text: "\x7f" not in text
)


def test_json_and_key_values_read_the_same() -> None:
    words = ["qemu", "-device", '{"driver":"e1000","mac":"a","cache":{"direct":true}}']
    words += ["-device", "e1000,mac=a,cache.direct=on", "-S"]
    binary, (json, pairs, stopped) = parse(words)
    assert binary == "qemu"
    assert (json.head, json.word("mac"), json.props["cache"]) == ("e1000", "a", {"direct": True})
    assert (pairs.head, pairs.word("mac"), pairs.props["cache"]) == ("e1000", "a", {"direct": "on"})
    assert (stopped.name, stopped.shown()) == ("S", "-S")


def test_two_dashes_and_a_bare_disk() -> None:
    _, flags = parse(["--m", "1G", "disk.img"])
    assert [(flag.name, flag.text) for flag in flags] == [("m", "1G"), ("hda", "disk.img")]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["qemu", "-m"], "has no value"),
        (["-device", "{broken"], "not valid JSON"),
        (["-device", "{" + '"a":{' * 5000], "not valid JSON"),
        (["-name", "x" * (MAX_TEXT + 1)], "longer than"),
    ],
)
def test_what_cannot_be_read(words: list[str], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        parse(words)


def test_a_script_is_split_as_the_shell_does() -> None:
    assert split("qemu -m 1G \\\n  -name 'a b' # why\n") == ["qemu", "-m", "1G", "-name", "a b"]
    with pytest.raises(BadRequest, match="quoting"):
        split("'open")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-m][a-z0-9-]{0,9}", fullmatch=True), TEXTS, max_size=5))
def test_what_render_writes_is_read_back(props: dict[str, str]) -> None:
    option = Option("-x", KeyValues("head", WHY, tuple(Prop(key, text, WHY) for key, text in props.items())), WHY)
    head, found = key_values(value(option)[0])
    assert (head, found) == ("head", props)


def test_negations_and_words_alone_are_switches() -> None:
    assert key_values("user,noserver,wait") == ("user", {"server": "off", "wait": "on"})


def test_numbers_and_sizes() -> None:
    assert [number(text) for text in ("12", "0x1f", "x")] == [12, 31, None]
    assert [size("2G"), size("512", 1 << 20), size("1.5k"), size("1048576k"), size("much")] == [
        2 << 30,
        512 << 20,
        1536,
        1 << 30,
        None,
    ]


def test_typed_reading() -> None:
    flag = Flag("x", "", "", {"a": True, "b": "off", "c": "7", "d": {"e": 1}})
    assert (flag.on("a"), flag.on("b"), flag.on("c"), flag.number("c"), flag.word("d")) == (True, False, None, 7, "")


@pytest.mark.parametrize("text", ["9" * 5000, "0x" + "f" * 5000, "\u00b2", "\u0663", "", "1.5", str(1 << 64)])
def test_numbers_fit_into_64_bits(text: str) -> None:
    assert number(text) is None
    assert size("9" * 400) is None
    assert size("-1G") is None
