"""QEMU options as typed values, each part with the reason for it.

An ``Option`` is one command line flag. Its value is either a bare word (``Word``, which QEMU takes verbatim), a JSON
object (``JsonValue``, for -blockdev, -device, -object, -netdev and -audiodev) or a key=value list (``KeyValues``; QEMU
7.2 takes -chardev only so). argv is made in ``solovirt.compile.render`` and nowhere else.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from solovirt.host.model.bindings import Pins

ReasonKind = Literal["manifest", "default", "host", "dependency"]
PropValue = None | bool | int | str | dict[str, "PropValue"] | list["PropValue"]


class Reason(msgspec.Struct, frozen=True):
    """Why a part is there.

    ``path`` is the field path below the VMI (``spec.domain.cpu.cores``) for kind "manifest", and may be given for the
    others to say what they belong to. ``text`` is one sentence for people.
    """

    kind: ReasonKind
    text: str
    path: str = ""


class Prop(msgspec.Struct, frozen=True):
    """One key of a value, with its own reason."""

    key: str
    value: PropValue
    why: Reason


class Word(msgspec.Struct, frozen=True):
    text: str
    why: Reason


class JsonValue(msgspec.Struct, frozen=True):
    """A JSON object: the value of a flag, and as ``render.arguments`` what ``device_add`` and ``blockdev-add`` take."""

    props: tuple[Prop, ...]

    def get(self, key: str) -> Prop | None:
        return next((prop for prop in self.props if prop.key == key), None)


class KeyValues(msgspec.Struct, frozen=True):
    """``head`` is the first bare word ("pc-q35-7.2", "socket"); "" when the value has only keys."""

    head: str
    head_why: Reason | None
    props: tuple[Prop, ...] = ()


OptionValue = Word | JsonValue | KeyValues | None


class Option(msgspec.Struct, frozen=True):
    """One flag (with its dash) and its value; ``why`` is the reason for the flag itself."""

    flag: str
    value: OptionValue
    why: Reason


class Machine(msgspec.Struct, frozen=True):
    """A compiled machine: QEMU's binary, every option in order, and the pins to be kept for the VM's life."""

    binary: str
    options: tuple[Option, ...]
    pins: Pins
