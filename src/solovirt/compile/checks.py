"""What must hold for every compiled machine, whoever added the option: this QEMU has the device, ids are unique and
well-formed, no string can break out of its place. No configurator can forget it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from solovirt.compile.options import JsonValue, KeyValues, Option, Prop, Reason, Word
from solovirt.compile.problems import invalid
from solovirt.compile.render import strings, unprintable
from solovirt.host.model.facts import QemuFacts
from solovirt.kit.errors import HostError, Invalid

_ID = re.compile(r"[A-Za-z][A-Za-z0-9._-]*", re.ASCII)
"""QEMU's rule for ids (util/id.c)."""
_NODE_NAME_MAX = 31
_SINCE = {"igb": "QEMU 8.0 or newer has it"}
_PACKAGE = "apt install qemu-system-x86 has it"


def problems(options: Sequence[Option], qemu: QemuFacts) -> Iterator[Invalid | HostError]:
    """All that is wrong with the options."""
    taken: dict[tuple[str, str], Prop] = {}
    for option in options:
        yield from _texts(option)
        if isinstance(option.value, JsonValue):
            yield from _ids(option.flag, option.value, taken)
            yield from _support(option.flag, option.value, qemu)


def props(option: Option) -> Sequence[Prop]:
    return option.value.props if isinstance(option.value, JsonValue | KeyValues) else ()


def _texts(option: Option) -> Iterator[Invalid]:
    pieces: list[tuple[str, Reason]] = [(text, prop.why) for prop in props(option) for text in strings(prop.value)]
    match option.value:
        case Word(text, why):
            pieces.append((text, why))
        case KeyValues(head, why, _) if why:
            pieces.append((head, why))
    for text, why in pieces:
        if found := unprintable(text):
            yield invalid(why.path, f"must not contain control characters ({found})")
        elif option.flag == "-cpu" and "," in text:
            # Its parser (target/i386/cpu.c) splits at every comma, doubled or not.
            yield invalid(why.path, "must not contain commas: QEMU's -cpu has no way to write one")


def _ids(flag: str, described: JsonValue, taken: dict[tuple[str, str], Prop]) -> Iterator[Invalid | HostError]:
    for key in ("id", "node-name"):
        prop = described.get(key)
        if prop is None or not isinstance(prop.value, str):
            continue
        if not _ID.fullmatch(prop.value) or (key == "node-name" and len(prop.value) > _NODE_NAME_MAX):
            yield invalid(prop.why.path, f'"{prop.value}" is not an id that QEMU takes')
        elif (flag, prop.value) in taken:
            yield invalid(prop.why.path, f'"{prop.value}" is used twice', reason="FieldValueDuplicate")
        taken.setdefault((flag, prop.value), prop)


def _support(flag: str, described: JsonValue, qemu: QemuFacts) -> Iterator[Invalid | HostError]:
    key, known = {
        "-device": ("driver", qemu.devices),
        "-object": ("qom-type", qemu.objects),
        "-netdev": ("type", qemu.netdevs),
    }.get(flag, ("", frozenset()))
    prop = described.get(key) if key else None
    if prop is None or prop.value in known:
        return
    name = str(prop.value)
    version = ".".join(map(str, qemu.version))
    text = f"{qemu.binary} ({version}) has no {key} {name}"
    hint = _SINCE.get(name, _PACKAGE)
    if prop.why.kind == "manifest":
        yield invalid(prop.why.path, text, reason="FieldValueNotSupported", hint=hint)
    else:
        yield HostError(text, reason="DeviceMissing", field=prop.why.path, hint=hint)
