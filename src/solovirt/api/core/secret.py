"""Secret (core/v1): ``data`` is base64; ``stringData`` is write-only and merged into it."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import KubeObject


class Secret(KubeObject):
    data: dict[str, str] = msgspec.field(default_factory=dict)
    string_data: dict[str, str] = msgspec.field(default_factory=dict)
    type: str = ""
    immutable: bool | None = None
