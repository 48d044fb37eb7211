"""QEMU options as typed values, each part with the reason for it.

An ``Option`` is one command line flag. Its value is either a bare word (``Word``, which QEMU takes verbatim), a JSON
object (``JsonValue``, for -blockdev, -device, -object, -netdev and -audiodev) or a key=value list (``KeyValues``; QEMU
7.2 takes -chardev only so). argv is made in ``solovirt.compile.render`` and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from solovirt.host.model.bindings import Pins

ReasonKind = Literal["manifest", "default", "host", "dependency"]
PropValue = None | bool | int | str | dict[str, "PropValue"] | list["PropValue"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a part is there.

    ``path`` is the field path below the VMI (``spec.domain.cpu.cores``) for kind "manifest", and may be given for the
    others to say what they belong to. ``text`` is one sentence for people.
    """

    kind: ReasonKind
    text: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Prop:
    """One key of a value, with its own reason."""

    key: str
    value: PropValue
    why: Reason


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    why: Reason


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A JSON object: the value of a flag, and as ``render.arguments`` what ``device_add`` and ``blockdev-add`` take."""

    props: tuple[Prop, ...]

    def get(self, key: str) -> Prop | None:
        return next((prop for prop in self.props if prop.key == key), None)


@dataclass(frozen=True, slots=True)
class KeyValues:
    """``head`` is the first bare word ("pc-q35-7.2", "socket"); "" when the value has only keys."""

    head: str
    head_why: Reason | None
    props: tuple[Prop, ...] = ()


OptionValue = Word | JsonValue | KeyValues | None


@dataclass(frozen=True, slots=True)
class Option:
    """One flag (with its dash) and its value; ``why`` is the reason for the flag itself."""

    flag: str
    value: OptionValue
    why: Reason


@dataclass(frozen=True, slots=True)
class Machine:
    """A compiled machine: QEMU's binary, every option in order, and the pins to be kept for the VM's life."""

    binary: str
    options: tuple[Option, ...]
    pins: Pins
