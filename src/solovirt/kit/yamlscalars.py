"""What a plain YAML scalar means to kubectl: sigs.k8s.io/yaml goyaml.v2 ``resolve.go``.

``y/yes/on`` and ``n/no/off`` are booleans, ``0644`` and ``0o644`` are 420, dates and base 60 stay strings, a float
that is whole becomes an integer (as it does in JSON). Neither PyYAML's resolver nor YAML 1.2 does the same.
"""

from __future__ import annotations

import math
import re

Scalar = None | bool | int | float | str

_WORDS: dict[str, Scalar] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS.update({form: True for word in ("y", "yes", "true", "on") for form in (word, word.title(), word.upper())})
_WORDS.update({form: False for word in ("n", "no", "false", "off") for form in (word, word.title(), word.upper())})
_WORDS.update({sign + form: math.inf for sign in ("", "+") for form in (".inf", ".Inf", ".INF")})
_WORDS.update({"-" + form: -math.inf for form in (".inf", ".Inf", ".INF")})
_WORDS.update(dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan))

_INTEGER = re.compile(
    r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))",
)
_FLOAT = re.compile(r"[+-]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][+-]?[0-9]+)?")
_MAX_DIGITS = 64
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1
_MAX_WHOLE = 1e21
_OTHER_READERS = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


def resolve(text: str) -> Scalar:
    """The value of a plain, untagged scalar. Infinities and NaN come back as floats; callers refuse them."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        return _float(text)
    if first not in "+-0123456789":
        return text
    plain = text.replace("_", "")
    number = _integer(plain)
    if number is not None:
        return number
    found = _float(plain)
    return text if isinstance(found, str) else found


def _integer(plain: str) -> int | None:
    """Go's ``strconv.ParseInt(plain, 0, 64)``, then ``ParseUint``; None if it is neither."""
    match = _INTEGER.fullmatch(plain) if len(plain) <= _MAX_DIGITS else None
    if match is None:
        return None
    for digits, base in zip(match.groups()[1:], (16, 2, 8, 10), strict=True):
        if digits is not None:
            value = int(match[1] + digits, base)
            return value if _MIN_INTEGER <= value <= _MAX_INTEGER else None
    return None


def _float(plain: str) -> Scalar:
    if not _FLOAT.fullmatch(plain):
        return plain
    value = float(plain)
    if math.isinf(value):
        return plain
    return int(value) if value.is_integer() and abs(value) < _MAX_WHOLE else value


def is_ambiguous(text: str) -> bool:
    """True if some YAML reader would not take ``text``, unquoted, for a string (dates and base 60 included)."""
    return resolve(text) != text or _OTHER_READERS.fullmatch(text) is not None
