"""ConfigMap (core/v1)."""

from __future__ import annotations

import msgspec

from solovirt.api.causes import Causes
from solovirt.api.columns import core_age
from solovirt.api.core.keys import check_immutable, check_keys
from solovirt.api.meta import KubeObject
from solovirt.api.metadata import check_metadata
from solovirt.api.resource import Column, Resource
from solovirt.kit.base64text import decoded_base64
from solovirt.kit.errors import Cause


class ConfigMap(KubeObject):
    data: dict[str, str] = msgspec.field(default_factory=dict)
    binary_data: dict[str, str] = msgspec.field(default_factory=dict)
    immutable: bool | None = None


def validate(new: ConfigMap, old: ConfigMap | None) -> list[Cause]:
    """Keys, base64 of ``binaryData``, no key in both maps, at most 1 MiB, and immutability."""
    causes = Causes()
    check_metadata(causes, new.metadata)
    sizes = {f"data.{key}": len(value.encode()) for key, value in new.data.items()}
    for key, value in new.binary_data.items():
        if key in new.data:
            causes.invalid(f"binaryData.{key}", key, "duplicate of key present in data")
        decoded = decoded_base64(value)
        if decoded is None:
            causes.invalid(f"binaryData.{key}", value, "must be base64")
        sizes[f"binaryData.{key}"] = len(decoded or b"")
    check_keys(causes, [*(("data", key) for key in new.data), *(("binaryData", key) for key in new.binary_data)], sizes)
    if old is not None:
        same = {"data": new.data == old.data, "binaryData": new.binary_data == old.binary_data}
        check_immutable(causes, new.immutable, old.immutable, same)
    return causes.found


RESOURCE = Resource(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    type=ConfigMap,
    short_names=("cm",),
    columns=(
        Column(
            "Data", lambda obj: len(obj.data) + len(obj.binary_data), type="integer", description="Number of entries."
        ),
        core_age(ConfigMap),
    ),
    validate=validate,
    spec_fields=("data", "binaryData", "immutable"),
)
