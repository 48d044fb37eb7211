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


class Causes:
    """An ordered collection of causes. Messages that do not begin with their field get it in front."""

    def __init__(self) -> None:
        self.found: list[Cause] = []

    def add(self, reason: str, field: str, message: str) -> None:
        """A cause with a whole sentence of its own (KubeVirt's webhooks name the field inside it)."""
        self.found.append(Cause(reason, message, field))

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
    text = str(value)
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return text.encode("unicode_escape").decode() if not text.isprintable() else text
