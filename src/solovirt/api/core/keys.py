"""Rules that Secrets and ConfigMaps share. Source: k8s.io/kubernetes pkg/apis/core/validation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from solovirt.api.causes import Causes
from solovirt.kit.names import SUBDOMAIN_MAX

MAX_BYTES = 1024 * 1024
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or"
    " 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def check_keys(causes: Causes, keys: Iterable[tuple[str, str]], sizes: Mapping[str, int]) -> None:
    """``keys`` are (field, key); ``sizes`` the bytes of every value. Keys become file names, so no "." or "..[...]"."""
    for field, key in keys:
        if problem := _key_problem(key):
            causes.invalid(f"{field}[{key}]", key, problem)
    if sum(sizes.values()) > MAX_BYTES:
        causes.add("FieldValueTooLong", "data", f"data: Too long: may not be more than {MAX_BYTES} bytes")


def _key_problem(key: str) -> str:
    if len(key) > SUBDOMAIN_MAX:
        return f"must be no more than {SUBDOMAIN_MAX} characters"
    if not _KEY.fullmatch(key):
        return _KEY_TEXT
    if key in (".", "..") or key.startswith(".."):
        return "must not start with '..'" if key != "." else "must not be '.'"
    return ""


def check_immutable(causes: Causes, new: bool | None, old: bool | None, same: Mapping[str, bool]) -> None:
    """An immutable object stays what it is. ``same`` tells for each field whether it is unchanged."""
    if not old:
        return
    if not new:
        causes.forbidden("immutable", "field is immutable when `immutable` is set")
    for field, unchanged in same.items():
        if not unchanged:
            causes.forbidden(field, "field is immutable when `immutable` is set")
