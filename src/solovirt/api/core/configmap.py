"""ConfigMap (core/v1)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import KubeObject


class ConfigMap(KubeObject):
    data: dict[str, str] = msgspec.field(default_factory=dict)
    binary_data: dict[str, str] = msgspec.field(default_factory=dict)
    immutable: bool | None = None
