"""Collects what is wrong with an object: every cause, in Kubernetes' words, each with its field path."""

from __future__ import annotations

from collections.abc import Iterable

from solovirt.kit.errors import Cause

INVALID = "FieldValueInvalid"
REQUIRED = "FieldValueRequired"
DUPLICATE = "FieldValueDuplicate"
NOT_SUPPORTED = "FieldValueNotSupported"
FORBIDDEN = "FieldValueForbidden"

KNOWN_UNSUPPORTED = "known to KubeVirt, not supported yet"
_SHOWN = 120
_MESSAGE_MAX = 1000
_MAX_BITS = 4096
_MOST = 200


class Causes:
    """An ordered collection of the first 200 causes. Messages that do not begin with their field get it in front."""

    def __init__(self) -> None:
        self.found: list[Cause] = []

    def add(self, reason: str, field: str, message: str) -> None:
        """A cause with a whole sentence of its own (KubeVirt's webhooks name the field inside it)."""
        if len(self.found) < _MOST:
            self.found.append(Cause(reason, _line(message, _MESSAGE_MAX), _line(field, _MESSAGE_MAX)))

    def invalid(self, field: str, value: object, problem: str) -> None:
        self.add(INVALID, field, f'{field}: Invalid value: "{shown(value)}": {problem}')

    def required(self, field: str, problem: str = "") -> None:
        self.add(REQUIRED, field, f"{field}: Required value" + (f": {problem}" if problem else ""))

    def duplicate(self, field: str, value: object) -> None:
        self.add(DUPLICATE, field, f'{field}: Duplicate value: "{shown(value)}"')

    def not_supported(self, field: str, value: object, supported: Iterable[str]) -> None:
        names = ", ".join(f'"{name}"' for name in supported)
        self.add(NOT_SUPPORTED, field, f'{field}: Unsupported value: "{shown(value)}": supported values: {names}')

    def known_unsupported(self, field: str, value: object = None) -> None:
        """A field, or a value of it, that KubeVirt has and solovirt does not do."""
        what = f'{field} "{shown(value)}"' if value is not None else field
        self.add(NOT_SUPPORTED, field, f"{what}: {KNOWN_UNSUPPORTED}")

    def forbidden(self, field: str, problem: str) -> None:
        self.add(FORBIDDEN, field, f"{field}: Forbidden: {problem}")


def shown(value: object) -> str:
    """A value inside a message: one line, of bounded length."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return "a number of very many digits"
    return _line(str(value), _SHOWN)


def _line(text: str, most: int) -> str:
    text = text if len(text) <= most else text[:most] + "…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
