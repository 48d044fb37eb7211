"""A QEMU command line into flags with typed values: the way back from ``compile.render``.

Takes what QEMU takes: JSON values, ``key=value`` lists with doubled commas, bare heads and the old short forms. Source:
QEMU util/keyval.c, util/qemu-option.c, system/vl.c. Untrusted input: bounded, nothing is opened.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject

MAX_TEXT = 1 << 20
MAX_WORDS = 10_000
_MOST_DIGITS = 32
_ALONE = frozenset(
    {"S", "nodefaults", "no-user-config", "no-shutdown", "no-reboot", "no-hpet", "no-acpi", "enable-kvm", "nographic"}
    | {"daemonize", "snapshot", "full-screen", "usb", "only-migratable", "no-fd-bootchk", "s", "mem-prealloc", "help"}
    | {"version", "h", "win2k-hack", "singlestep", "enable-sync-profile", "preconfig", "no-quit"}
)
"""Flags without a value."""
_HEADS = {"device": "driver", "object": "qom-type", "netdev": "type", "audiodev": "driver", "chardev": "backend"}
"""What the first bare word of a flag's value stands for; JSON values have it as a key."""
_TRUE, _FALSE = ("on", "yes", "true", "y"), ("off", "no", "false", "n")


@dataclass(slots=True)
class Flag:
    """One flag without its dashes. ``head`` is the first bare word ("virtio-blk-pci", "pc-q35-7.2"), ``props`` the
    rest, in order; values are strings unless they came as JSON. ``text`` is what a person wrote."""

    name: str
    text: str
    head: str = ""
    props: JsonObject = field(default_factory=dict)

    def shown(self) -> str:
        return f"-{self.name} {self.text}".rstrip()

    def word(self, key: str, default: str = "") -> str:
        value = self.props.get(key)
        return default if value is None or isinstance(value, dict | list) else _scalar(value)

    def on(self, key: str) -> bool | None:
        """On or off, None when absent or neither."""
        text = self.word(key).lower()
        return True if text in _TRUE else False if text in _FALSE else None

    def number(self, key: str) -> int | None:
        return number(self.word(key))


def parse(words: Sequence[str]) -> tuple[str, list[Flag]]:
    """The binary ("" when the first word is a flag already) and all flags. Raises ``BadRequest``."""
    if len(words) > MAX_WORDS or sum(map(len, words)) > MAX_TEXT:
        raise BadRequest(f"the command line is longer than {MAX_WORDS} words or {MAX_TEXT} characters")
    rest = list(words)
    binary = rest.pop(0) if rest and not rest[0].startswith("-") else ""
    flags: list[Flag] = []
    position = 0
    while position < len(rest):
        word = rest[position]
        position += 1
        if not word.startswith("-") or word in ("-", "--"):
            flags.append(Flag("hda", word))
            continue
        name = word.lstrip("-")
        if name in _ALONE:
            flags.append(Flag(name, ""))
            continue
        if position == len(rest):
            raise BadRequest(f"{word} at the end of the command line has no value")
        flags.append(_flag(name, rest[position]))
        position += 1
    return binary, flags


def split(text: str) -> list[str]:
    """The words of a command line in a file: shell quoting, comments, and backslashes at line ends, or one option a
    line as ``explain -o argv`` writes it. Raises ``BadRequest``."""
    if len(text) > MAX_TEXT:
        raise BadRequest(f"the command line is longer than {MAX_TEXT} characters")
    try:
        return shlex.split(text.replace("\\\n", " "), comments=True)
    except ValueError as error:
        raise BadRequest(f"the command line's quoting is broken: {error}") from None


def key_values(text: str, *, head: bool = True) -> tuple[str, JsonObject]:
    """``head,key=value,flag`` with doubled commas; a word without ``=`` that is not the head means on."""
    first, props = "", dict[str, Json]()
    for index, part in enumerate(_parts(text)):
        key, equals, value = part.partition("=")
        if not equals and index == 0 and head:
            first = part
        elif not equals and key.startswith("no") and len(key) > 2:
            props[key[2:]] = "off"
        elif key:
            props[key] = value if equals else "on"
    return first, props


def number(text: str) -> int | None:
    """A decimal or 0x number that fits into 64 bits, None for anything else."""
    if len(text) > _MOST_DIGITS or not text.isascii():
        return None
    try:
        found = int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        return None
    return found if -(1 << 63) <= found < 1 << 64 else None


def size(text: str, unit: int = 1) -> int | None:
    """Bytes of ``2G``, ``512M``, ``1048576k`` or a bare number of ``unit`` bytes; None for anything else."""
    factors = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
    text = text.strip().lower()
    factor = factors.get(text[-1:], 0)
    digits = text[:-1] if factor else text
    try:
        found = int(float(digits) * (factor or unit))
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found < 1 << 64 else None


def _flag(name: str, text: str) -> Flag:
    if text.startswith("{"):
        props = _json(name, text)
        head = props.get(_HEADS.get(name, ""))
        return Flag(name, text, head if isinstance(head, str) else "", props)
    head_word, props = key_values(text)
    key = _HEADS.get(name, "")
    if key and not head_word and isinstance(named := props.get(key), str):
        head_word = named
    elif key and head_word:
        props = {key: head_word, **props}
    return Flag(name, text, head_word, props if name == "cpu" else _nested(props))


def _json(name: str, text: str) -> JsonObject:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"-{name} {text[:60]}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest(f"-{name} {text[:60]}: expected a JSON object")
    return value


def _nested(props: JsonObject) -> JsonObject:
    """``cache.direct=on`` as ``{"cache": {"direct": "on"}}``, as JSON has it."""
    result: JsonObject = {}
    for key, value in props.items():
        *outer, last = key.split(".") if not key.startswith(".") and not key.endswith(".") else [key]
        place = result
        for step in outer[:8]:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[last] = value
            continue
        result[key] = value
    return result


def _parts(text: str) -> list[str]:
    return [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]


def _scalar(value: Json) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
