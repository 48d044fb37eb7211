"""Label and field selectors, as query parameters write them. Source: k8s.io/apimachinery/pkg/{labels,fields}."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from solovirt.kit.errors import BadRequest
from solovirt.kit.names import key_problem, label_value_problem

_MAX_LENGTH = 16 * 1024
_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_COMPARE = re.compile(r"(?P<key>[^\s=!<>]+)\s*(?P<operator>==|!=|=|<|>)\s*(?P<value>[^\s=!<>]*)")
_SPLIT = re.compile(r",(?![^()]*\))")
_DIGITS = re.compile(r"-?[0-9]{1,18}")


class Requirement(msgspec.Struct, frozen=True):
    """One term. ``operator`` is one of ``in notin exists absent gt lt``."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value not in self.values
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or not _DIGITS.fullmatch(value):
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator == "gt" else int(value) < bound


class LabelSelector(msgspec.Struct, frozen=True):
    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


class FieldSelector(msgspec.Struct, frozen=True):
    """Terms of ``key=value``, ``key==value`` and ``key!=value``."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """True if all terms hold. Raises ``BadRequest`` for a key that ``fields`` does not have."""
        for key, _, _ in self.terms:
            if key not in fields:
                raise BadRequest(f"field label not supported: {key}")
        return all((fields[key] == value) is equal for key, equal, value in self.terms)

    def value_of(self, key: str) -> str | None:
        """What ``key`` must be equal to, if the selector says so (``metadata.name=x`` makes a list a look-up)."""
        return next((value for term, equal, value in self.terms if equal and term == key), None)


def parse_labels(text: str) -> LabelSelector:
    """``a=b,c!=d,e in (f,g),h notin (i),j,!k``. Raises ``BadRequest``."""
    return LabelSelector(tuple(_requirement(term) for term in _terms(text, _SPLIT)))


def _terms(text: str, separator: re.Pattern[str]) -> list[str]:
    if len(text) > _MAX_LENGTH:
        raise BadRequest("unable to parse requirement: selector is too long")
    if not text.strip():
        return []
    terms = [term.strip() for term in separator.split(text)]
    if "" in terms:
        raise BadRequest("unable to parse requirement: found '', expected: identifier")
    return terms


def _requirement(term: str) -> Requirement:
    if match := _SET.fullmatch(term):
        values = frozenset(value.strip() for value in match["values"].split(","))
        return _checked(Requirement(match["key"], match["operator"], values))
    if match := _COMPARE.fullmatch(term):
        operator = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}[match["operator"]]
        return _checked(Requirement(match["key"], operator, frozenset({match["value"]})))
    if term.startswith("!"):
        return _checked(Requirement(term[1:].strip(), "absent"))
    return _checked(Requirement(term, "exists"))


def _checked(requirement: Requirement) -> Requirement:
    if problem := key_problem(requirement.key):
        raise BadRequest(f"unable to parse requirement: key: Invalid value: {requirement.key[:80]!r}: {problem}")
    for value in sorted(requirement.values):
        if problem := label_value_problem(value):
            raise BadRequest(f"unable to parse requirement: values: Invalid value: {value[:80]!r}: {problem}")
        if requirement.operator in ("gt", "lt") and not _DIGITS.fullmatch(value):
            raise BadRequest("unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer")
    return requirement


_COMMA = re.compile(r"(?<!\\),")
_FIELD = re.compile(r"(?P<key>[A-Za-z0-9_.\[\]/-]+)(?P<operator>==|!=|=)(?P<value>(?s:.*))")


def parse_fields(text: str) -> FieldSelector:
    """``metadata.name=x,status.phase!=Running``; a backslash escapes. Raises ``BadRequest``."""
    found = []
    for term in _terms(text, _COMMA):
        match = _FIELD.fullmatch(term)
        if match is None:
            raise BadRequest(f"invalid selector: {text[:200]!r}; can't understand {term[:80]!r}")
        found.append((match["key"], match["operator"] != "!=", re.sub(r"\\([\\,=])", r"\1", match["value"])))
    return FieldSelector(tuple(found))
