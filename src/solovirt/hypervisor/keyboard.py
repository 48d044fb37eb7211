"""Names of keys, and text as somebody types it on a US keyboard: both into chords of QEMU's key codes. Pure.

A chord is the keys that are down together, in the order in which they go down.
Source: ``QKeyCode`` in QEMU's qapi/ui.json.
"""

from __future__ import annotations

import string

from solovirt.kit.errors import BadRequest
from solovirt.kit.names import nearest

Chord = tuple[str, ...]

MAX_KEYS = 16
"""Keys of one chord."""

_NAMED = """
kp_divide kp_multiply kp_subtract kp_add kp_enter kp_decimal kp_comma kp_equals
shift shift_r alt alt_r ctrl ctrl_r menu meta_l meta_r compose
esc minus equal backspace tab bracket_left bracket_right ret semicolon apostrophe grave_accent
backslash comma dot slash asterisk spc less caps_lock num_lock scroll_lock sysrq print pause
home end pgup pgdn left right up down insert delete
stop again props undo front copy open paste find cut lf help power sleep wake
ro hiragana henkan yen muhenkan katakanahiragana lang1 lang2
audionext audioprev audiostop audioplay audiomute volumeup volumedown mediaselect mail
calculator computer ac_home ac_back ac_forward ac_refresh ac_bookmarks
"""
QCODES = frozenset(
    [
        *"1234567890qwertyuiopasdfghjklzxcvbnm",
        *(f"f{number}" for number in range(1, 25)),
        *(f"kp_{number}" for number in range(10)),
        *_NAMED.split(),
    ]
)

COMMON = {
    "control": "ctrl",
    "ctrl_l": "ctrl",
    "lctrl": "ctrl",
    "rctrl": "ctrl_r",
    "option": "alt",
    "alt_l": "alt",
    "lalt": "alt",
    "altgr": "alt_r",
    "ralt": "alt_r",
    "shift_l": "shift",
    "lshift": "shift",
    "rshift": "shift_r",
    "super": "meta_l",
    "win": "meta_l",
    "windows": "meta_l",
    "cmd": "meta_l",
    "meta": "meta_l",
    "escape": "esc",
    "enter": "ret",
    "return": "ret",
    "space": "spc",
    "del": "delete",
    "ins": "insert",
    "bksp": "backspace",
    "pageup": "pgup",
    "page_up": "pgup",
    "prior": "pgup",
    "pagedown": "pgdn",
    "page_down": "pgdn",
    "next": "pgdn",
    "capslock": "caps_lock",
    "numlock": "num_lock",
    "scrolllock": "scroll_lock",
    "printscreen": "print",
    "prtsc": "print",
    "sysreq": "sysrq",
    "break": "pause",
    "period": "dot",
    "equals": "equal",
    "plus": "kp_add",
    "dash": "minus",
    "hyphen": "minus",
    "grave": "grave_accent",
    "backtick": "grave_accent",
    "quote": "apostrophe",
    "lbracket": "bracket_left",
    "rbracket": "bracket_right",
}
"""What people call keys, and how QEMU does."""

_BARE = {
    " ": "spc",
    "\n": "ret",
    "\t": "tab",
    "-": "minus",
    "=": "equal",
    "[": "bracket_left",
    "]": "bracket_right",
    ";": "semicolon",
    "'": "apostrophe",
    "`": "grave_accent",
    "\\": "backslash",
    ",": "comma",
    ".": "dot",
    "/": "slash",
}
_SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))


def chord(text: str) -> Chord:
    """``ctrl-alt-delete``; ``+`` joins, too. Raises ``BadRequest`` that names the nearest key."""
    words = text.lower().replace("+", "-").split("-")
    if not all(words):
        raise BadRequest(f"{text!r} is no key", hint="the keys themselves are called minus and kp_add (plus)")
    if len(words) > MAX_KEYS:
        raise BadRequest(f"{text[:80]!r}: at most {MAX_KEYS} keys can be down together")
    keys = tuple(_key(word, text) for word in words)
    if len(set(keys)) < len(keys):
        raise BadRequest(f"{text!r} names a key twice")
    return keys


def typed(text: str) -> list[Chord]:
    """Each character as a US keyboard has it. Raises ``BadRequest`` for one that it does not have."""
    return [_typed(character, place) for place, character in enumerate(text)]


def _typed(character: str, place: int) -> Chord:
    base = _SHIFTED.get(character, character)
    if base in _BARE:
        keys: Chord = (_BARE[base],)
    elif base in string.ascii_letters or base in string.digits:
        keys = (base.lower(),)
    else:
        hint = "a US keyboard types ASCII only; `solovirt exec` or `guest cp` take any text"
        raise BadRequest(f"text: no key types {character!r} (character {place + 1})", field="text", hint=hint)
    shifted = character in _SHIFTED or character in string.ascii_uppercase
    return ("shift", *keys) if shifted else keys


def _key(word: str, text: str) -> str:
    key = COMMON.get(word, word)
    if key not in QCODES:
        near = nearest(word, (*QCODES, *COMMON))
        where = f" in {text!r}" if word != text else ""
        raise BadRequest(
            f"unknown key {word[:40]!r}{where}" + (f", did you mean {near!r}?" if near else ""),
            field="keys",
            hint="keys are joined by -, as in ctrl-alt-delete; a text is typed with --text",
        )
    return key
