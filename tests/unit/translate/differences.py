"""What differs between two command lines, and whether an import's losses and notes name it."""

from __future__ import annotations

import re

from solovirt.compile import render
from solovirt.compile.options import Machine
from solovirt.kit.json import Json, decode_object, encode
from solovirt.translate.draft import Draft

_LAYOUT = ("pcie-root-port", "pcie-pci-bridge")
"""They follow from the devices on them, which are judged themselves."""
_PLACE = ("bus", "addr")

Options = dict[tuple[str, str], tuple[str, dict[str, str]]]
"""By flag and id (or a number, where it has none): the value as it stands, and its tokens by key, in no order."""


def silent(before: Machine, after: Machine, draft: Draft) -> list[str]:
    """The tokens and options that differ and that no loss and no note names."""
    told = "\n".join([*(f"{loss.what} {loss.why}" for loss in draft.losses), *draft.notes])
    first, second = _options(before), _options(after)
    found: list[str] = []
    for flag, name in sorted({*first, *second}):
        if not name.isdigit() and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", told):
            continue
        one, other = first.get((flag, name)), second.get((flag, name))
        if one is None or other is None:
            text = (one or other or ("", {}))[0]
            found += [f"{flag} {text}"] if f"{flag} {text}".rstrip() not in told else []
            continue
        changed = sorted(key for key in {*one[1], *other[1]} if one[1].get(key) != other[1].get(key))
        for key in changed:
            tokens = [side[1][key] for side in (one, other) if key in side[1]]
            if not any((token if "=" in token else f"{flag} {token}") in told for token in tokens):
                found.append(f"{flag} {name} {key}: {tokens}")
    return found


def _options(machine: Machine) -> Options:
    found: Options = {}
    for option in machine.options:
        text = " ".join(render.value(option))
        if text.startswith("{"):
            described = decode_object(text)
            if described.get("driver") in _LAYOUT:
                continue
            name = str(described.get("id") or described.get("node-name") or "")
            tokens = {key: f"{key}={_plain(value)}" for key, value in described.items() if key not in _PLACE}
        else:
            tokens = {part.partition("=")[0]: part for part in text.split(",")}
            name = tokens.get("id", "").removeprefix("id=")
        alike = sum(key[0] == option.flag for key in found)
        found[option.flag, name or str(alike)] = (text, tokens)
    return found


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else encode(value).decode()
