"""PersistentVolumeClaim (core/v1): a local disk of this host."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.meta import Condition, KubeObject, Model


class VolumeResources(Model):
    requests: dict[str, Quantity] = msgspec.field(default_factory=dict)
    limits: dict[str, Quantity] = msgspec.field(default_factory=dict)


class PersistentVolumeClaimSpec(Model):
    __known_unsupported__ = frozenset({"selector", "dataSource", "dataSourceRef", "volumeAttributesClassName"})

    access_modes: list[str] = msgspec.field(default_factory=list)
    resources: VolumeResources = msgspec.field(default_factory=VolumeResources)
    storage_class_name: str | None = None
    volume_mode: str = ""
    volume_name: str = ""


class PersistentVolumeClaimStatus(Model):
    phase: str = ""
    access_modes: list[str] = msgspec.field(default_factory=list)
    capacity: dict[str, Quantity] = msgspec.field(default_factory=dict)
    conditions: list[Condition] = msgspec.field(default_factory=list)


class PersistentVolumeClaim(KubeObject, kw_only=True):
    spec: PersistentVolumeClaimSpec
    status: PersistentVolumeClaimStatus = msgspec.field(default_factory=PersistentVolumeClaimStatus)
