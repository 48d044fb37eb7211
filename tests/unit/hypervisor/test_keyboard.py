from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.hypervisor import keyboard
from solovirt.kit.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("ctrl-alt-delete", ("ctrl", "alt", "delete")),
        ("Ctrl+Alt+Del", ("ctrl", "alt", "delete")),
        ("ret", ("ret",)),
        ("Enter", ("ret",)),
        ("win-r", ("meta_l", "r")),
        ("alt-sysrq-b", ("alt", "sysrq", "b")),
        ("minus", ("minus",)),
        ("PageUp", ("pgup",)),
        ("f12", ("f12",)),
    ],
)
def test_chords(text: str, keys: tuple[str, ...]) -> None:
    assert keyboard.chord(text) == keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ctrl-alt-delte", "did you mean 'delete'"),
        ("", "is no key"),
        ("ctrl--a", "is no key"),
        ("-", "is no key"),
        ("a-a", "twice"),
        ("ctrl-control", "twice"),
        ("-".join("abcdefghijklmnopq"), "at most 16"),
        ('"; quit', "unknown key"),
    ],
)
def test_what_is_no_key(text: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        keyboard.chord(text)


def test_text_of_a_us_keyboard() -> None:
    assert keyboard.typed("aZ 5%\n") == [("a",), ("shift", "z"), ("spc",), ("5",), ("shift", "5"), ("ret",)]
    assert keyboard.typed("_-|\\") == [("shift", "minus"), ("minus",), ("shift", "backslash"), ("backslash",)]
    assert keyboard.typed("") == []


def test_every_printable_character_has_a_chord_of_its_own() -> None:
    printable = string.ascii_letters + string.digits + string.punctuation + " \n\t"
    chords = keyboard.typed(printable)
    assert len(set(chords)) == len(printable)
    assert {key for chord in chords for key in chord} <= keyboard.QCODES


def test_what_no_key_types() -> None:
    with pytest.raises(BadRequest, match=r"'ä' \(character 3\)"):
        keyboard.typed("abä")


def test_common_names_are_of_real_keys() -> None:
    assert set(keyboard.COMMON.values()) <= keyboard.QCODES
    assert not set(keyboard.COMMON) & keyboard.QCODES


@settings(max_examples=60)
@given(st.text(max_size=20))
def test_anything_is_a_chord_of_known_keys_or_refused(text: str) -> None:
    for parse in (keyboard.chord, lambda given: tuple(key for chord in keyboard.typed(given) for key in chord)):
        try:
            keys = parse(text)
        except BadRequest:
            continue
        assert set(keys) <= keyboard.QCODES
