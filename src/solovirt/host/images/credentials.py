"""Registry credentials out of Secrets, in the form that skopeo reads from a file.

Only literal ``auths`` entries pass: a Secret may not name credential helpers, which would be programs run by skopeo.
Pure.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from solovirt.kit import json
from solovirt.kit.errors import HostError

_MAX_CONFIG = 256 * 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """``auth_file`` is a docker ``config.json`` with nothing but ``auths``; never shown in a repr."""

    auth_file: bytes = field(repr=False)


def from_secret(name: str, data: Mapping[str, bytes], registry: str) -> Credentials:
    """Credentials of an imagePullSecret.

    ``data`` is the Secret's decoded data: ``.dockerconfigjson``, the older ``.dockercfg``, or the keys ``accessKeyId``
    and ``secretKey`` (CDI) or ``username`` and ``password``, which are then for ``registry``. Raises ``HostError``
    reason ``InvalidImagePullSecret``.
    """
    if ".dockerconfigjson" in data:
        return _credentials(name, json.get_object(_object(name, data[".dockerconfigjson"]), "auths"))
    if ".dockercfg" in data:
        return _credentials(name, _object(name, data[".dockercfg"]))
    for user_key, password_key in (("accessKeyId", "secretKey"), ("username", "password")):
        if user_key in data and password_key in data:
            return from_login(registry, data[user_key], data[password_key])
    raise _bad(name, "it has none of the keys .dockerconfigjson, .dockercfg, accessKeyId and secretKey")


def from_login(registry: str, username: bytes, password: bytes) -> Credentials:
    """Credentials for one registry ("docker.io", "localhost:5000")."""
    pair = base64.b64encode(username + b":" + password).decode()
    return Credentials(json.encode({"auths": {_host(registry): {"auth": pair}}}))


def _bad(name: str, why: str) -> HostError:
    return HostError(f"secret {name!r} is not an image pull secret: {why}", reason="InvalidImagePullSecret")


def _object(name: str, data: bytes) -> json.JsonObject:
    if len(data) > _MAX_CONFIG:
        raise _bad(name, f"it is larger than {_MAX_CONFIG} bytes")
    try:
        return json.decode_object(data)
    except ValueError as error:
        raise _bad(name, f"it is not JSON ({error})") from error


def _credentials(name: str, auths: json.JsonObject) -> Credentials:
    kept: json.JsonObject = {}
    for registry, entry in auths.items():
        if isinstance(entry, dict):
            pair = _pair(entry)
            if pair:
                kept[_host(registry)] = {"auth": pair}
    if not kept:
        raise _bad(name, "it has no user name and password")
    return Credentials(json.encode({"auths": kept}))


def _pair(entry: json.JsonObject) -> str:
    given = json.get_str(entry, "auth")
    if given:
        try:
            decoded = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            return ""
        return given if b":" in decoded else ""
    user, password = json.get_str(entry, "username"), json.get_str(entry, "password")
    return base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""


def _host(registry: str) -> str:
    """skopeo knows registries by host; docker's own files have URLs ("https://index.docker.io/v1/")."""
    for scheme in ("https://", "http://"):
        registry = registry.removeprefix(scheme)
    host = registry.partition("/")[0] if "/v1" in registry or "/v2" in registry else registry.rstrip("/")
    return "docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host
