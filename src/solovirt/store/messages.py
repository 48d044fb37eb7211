"""The API machinery's error sentences, word for word (clients match on some of them)."""

from __future__ import annotations

from collections.abc import Iterable

from solovirt.kit.errors import AlreadyExists, Cause, Conflict, Forbidden, Invalid, NotFound

_MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def not_found(kind: str, name: str) -> NotFound:
    return NotFound(f'{kind} "{name}" not found')


def already_exists(kind: str, name: str) -> AlreadyExists:
    return AlreadyExists(f'{kind} "{name}" already exists')


def conflict(kind: str, name: str, why: str = _MODIFIED) -> Conflict:
    return Conflict(f'Operation cannot be fulfilled on {kind} "{name}": {why}')


def precondition(kind: str, name: str, what: str, asked: str, found: str) -> Conflict:
    """``what`` is UID or ResourceVersion."""
    return conflict(kind, name, f"Precondition failed: {what} in precondition: {asked}, {what} in object meta: {found}")


def forbidden(kind: str, name: str, why: str, causes: Iterable[Cause] = ()) -> Forbidden:
    return Forbidden(f'{kind} "{name}" is forbidden: {why}', causes=causes)


def invalid(causes: Iterable[Cause]) -> Invalid:
    """One error for all wrong fields; the message joins theirs."""
    found = tuple(causes)
    return Invalid(", ".join(c.message for c in found), field=found[0].field if len(found) == 1 else "", causes=found)
