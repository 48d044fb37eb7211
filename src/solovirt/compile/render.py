"""From options to argv, and from one device to QMP arguments. The only place that quotes for QEMU.

Sources: QEMU util/keyval.c and util/qemu-option.c (a comma inside a value is doubled); docs/interop on JSON options.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from solovirt.compile.options import JsonValue, KeyValues, Machine, Option, Prop, PropValue, Word
from solovirt.compile.problems import invalid
from solovirt.kit.json import Json, JsonObject


def argv(machine: Machine) -> list[str]:
    """The command line, binary first. Raises ``Invalid`` for a string that QEMU cannot take (control characters)."""
    words = [machine.binary]
    for option in machine.options:
        words.append(option.flag)
        words.extend(value(option))
    return words


def value(option: Option) -> list[str]:
    """The words after the flag: one, or none for a flag without a value."""
    match option.value:
        case None:
            return []
        case Word(text, why):
            return [_checked(text, why.path)]
        case JsonValue() as described:
            return [_json(arguments(described))]
        case KeyValues(head, _, props):
            words = [escape(head)] if head else []
            return [",".join(words + [pair(prop) for prop in props])]


def arguments(described: JsonValue) -> JsonObject:
    """A device, node or backend as the arguments of ``device_add``, ``blockdev-add``, ``netdev_add`` and so on."""
    return {prop.key: _plain(prop.value, prop.why.path) for prop in described.props}


def json_text(item: PropValue) -> str:
    """One JSON value as it stands in argv."""
    return _json(_plain(item, ""))


def pair(prop: Prop) -> str:
    """``key=value`` with the value's commas doubled."""
    return f"{prop.key}={escape(scalar(prop))}"


def scalar(prop: Prop) -> str:
    """A value in key=value form: booleans as on/off."""
    match prop.value:
        case bool() as flag:
            return "on" if flag else "off"
        case int() as number:
            return str(number)
        case str() as text:
            return _checked(text, prop.why.path)
        case _:
            raise TypeError(f"{prop.key} cannot be written as key=value")


def escape(text: str) -> str:
    return text.replace(",", ",,")


def strings(item: PropValue) -> Iterator[str]:
    """Every string inside a value, keys too."""
    match item:
        case str():
            yield item
        case dict():
            for key, inner in item.items():
                yield key
                yield from strings(inner)
        case list():
            for inner in item:
                yield from strings(inner)


def unprintable(text: str) -> str:
    """The first character that may not reach QEMU, in readable form; "" if there is none."""
    for char in text:
        if char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff":
            return f"U+{ord(char):04X}"
    return ""


def _checked(text: str, path: str) -> str:
    if found := unprintable(text):
        raise invalid(path, f"must not contain control characters ({found})")
    return text


def _plain(item: PropValue, path: str) -> Json:
    for text in strings(item):
        _checked(text, path)
    match item:
        case dict():
            return {key: _plain(inner, path) for key, inner in item.items()}
        case list():
            return [_plain(inner, path) for inner in item]
        case _:
            return item


def _json(item: Json) -> str:
    return msgspec.json.encode(item).decode()
