"""Kubernetes' rules for names, label keys and label values, with Kubernetes' words; and the nearest name for a typo.

Stdlib only: the CLI's hot path may import it. Source: k8s.io/apimachinery/pkg/util/validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_is_label = re.compile(_LABEL, re.ASCII).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN, re.ASCII).fullmatch
_is_name = re.compile(_NAME, re.ASCII).fullmatch

LABEL_MAX = 63
SUBDOMAIN_MAX = 253

LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    f" an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    f" end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    f" character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_NAME}')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    f" '({_NAME})?')"
)


def is_dns_label(text: str) -> bool:
    """RFC 1123 label: a-z, 0-9 and inner "-", at most 63 characters."""
    return len(text) <= LABEL_MAX and _is_label(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """RFC 1123 subdomain: labels joined by ".", at most 253 characters."""
    return len(text) <= SUBDOMAIN_MAX and _is_subdomain(text) is not None


def label_problem(text: str) -> str:
    """What is wrong with a DNS label, in Kubernetes' words; "" if nothing is."""
    if len(text) > LABEL_MAX:
        return f"must be no more than {LABEL_MAX} characters"
    return "" if _is_label(text) else LABEL_TEXT


def subdomain_problem(text: str) -> str:
    """What is wrong with a DNS subdomain, in Kubernetes' words; "" if nothing is."""
    if len(text) > SUBDOMAIN_MAX:
        return f"must be no more than {SUBDOMAIN_MAX} characters"
    return "" if _is_subdomain(text) else SUBDOMAIN_TEXT


def key_problem(key: str) -> str:
    """What is wrong with a label or annotation key (``[prefix/]name``); "" if nothing is."""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if prefix and (problem := subdomain_problem(prefix)):
        return f"prefix part {problem}"
    if not name:
        return "name part must be non-empty"
    if len(name) > LABEL_MAX:
        return f"name part must be no more than {LABEL_MAX} characters"
    return "" if _is_name(name) else _KEY_TEXT


def label_value_problem(value: str) -> str:
    """What is wrong with a label value; "" if nothing is."""
    if len(value) > LABEL_MAX:
        return f"must be no more than {LABEL_MAX} characters"
    return "" if not value or _is_name(value) else _VALUE_TEXT


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``word`` is most likely a misspelling of, or None. Case does not count."""
    if len(word) > LABEL_MAX:
        return None
    import difflib

    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.65)
    return by_lower[found[0]] if found else None
