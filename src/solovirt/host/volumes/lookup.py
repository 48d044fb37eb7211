"""What resolving volumes needs to know of other objects; the controllers implement it over the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim


class Lookup(Protocol):
    """Objects by namespace and name; ``None`` where there is none. Data is decoded (no base64)."""

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None: ...

    def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None: ...

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None: ...
