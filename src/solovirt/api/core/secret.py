"""Secret (core/v1): ``data`` is base64; ``stringData`` is write-only and merged into it."""

from __future__ import annotations

import base64

import msgspec

from solovirt.api.causes import Causes
from solovirt.api.columns import core_age
from solovirt.api.core.keys import check_immutable, check_keys
from solovirt.api.meta import KubeObject
from solovirt.api.metadata import check_metadata
from solovirt.api.resource import Column, Resource
from solovirt.kit.base64text import decoded_base64
from solovirt.kit.errors import Cause

OPAQUE = "Opaque"


class Secret(KubeObject):
    data: dict[str, str] = msgspec.field(default_factory=dict)
    string_data: dict[str, str] = msgspec.field(default_factory=dict)
    type: str = ""
    immutable: bool | None = None


def default(secret: Secret) -> None:
    """``stringData`` goes base64-coded into ``data`` and wins over it; the type is Opaque."""
    for key, value in secret.string_data.items():
        secret.data[key] = base64.b64encode(value.encode()).decode()
    secret.string_data = {}
    secret.type = secret.type or OPAQUE


def validate(new: Secret, old: Secret | None) -> list[Cause]:
    """Keys, base64, at most 1 MiB of data, the type's own keys, an unchanged type, and immutability."""
    causes = Causes()
    check_metadata(causes, new.metadata)
    sizes = {}
    for key, value in new.data.items():
        decoded = decoded_base64(value)
        if decoded is None:
            causes.add("FieldValueInvalid", f"data[{key}]", f"data[{key}]: Invalid value: must be base64")
        sizes[key] = len(decoded or b"")
    check_keys(causes, (("data", key) for key in new.data), sizes)
    for key in _REQUIRED_KEYS.get(new.type, ()):
        if key not in new.data:
            causes.required(f"data[{key}]")
    if old is not None:
        if new.type != old.type:
            causes.invalid("type", new.type, "field is immutable")
        check_immutable(causes, new.immutable, old.immutable, {"data": new.data == old.data})
    return causes.found


_REQUIRED_KEYS = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    type=Secret,
    columns=(
        Column("Type", lambda obj: obj.type, description="Used to facilitate programmatic handling of secret data."),
        Column("Data", lambda obj: len(obj.data), type="integer", description="Number of entries."),
        core_age(Secret),
    ),
    default=default,
    validate=validate,
    selectable=lambda obj: {"type": obj.type},
    spec_fields=("data", "type", "immutable"),
)
