"""DataVolume of cdi.kubevirt.io/v1beta1: fills a PersistentVolumeClaim of the same name."""

from __future__ import annotations

import msgspec

from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaimSpec
from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.meta import Condition, KubeObject, Model


class HTTPSource(Model):
    __known_unsupported__ = frozenset(
        {"secretRef", "certConfigMap", "extraHeaders", "secretExtraHeaders", "insecureSkipVerify"}
    )

    url: str
    checksum: str = ""


class BlankSource(Model):
    """``blank: {}``."""


class DataVolumeImport(Model):
    __known_unsupported__ = frozenset({"s3", "gcs", "registry", "pvc", "snapshot", "upload", "imageio", "vddk"})

    http: HTTPSource | None = None
    blank: BlankSource | None = None


class StorageResources(Model):
    requests: dict[str, Quantity] = msgspec.field(default_factory=dict)
    limits: dict[str, Quantity] = msgspec.field(default_factory=dict)


class StorageSpec(Model):
    __known_unsupported__ = frozenset({"selector", "dataSource", "dataSourceRef"})

    access_modes: list[str] = msgspec.field(default_factory=list)
    resources: StorageResources = msgspec.field(default_factory=StorageResources)
    storage_class_name: str | None = None
    volume_mode: str = ""
    volume_name: str = ""


class DataVolumeSpec(Model):
    __known_unsupported__ = frozenset({"sourceRef", "checkpoints", "finalCheckpoint", "priorityClassName"})

    source: DataVolumeImport | None = None
    pvc: PersistentVolumeClaimSpec | None = None
    storage: StorageSpec | None = None
    content_type: str = ""
    preallocation: bool | None = None


class DataVolumeStatus(Model):
    phase: str = ""
    progress: str = ""
    restart_count: int = 0
    claim_name: str = ""
    conditions: list[Condition] = msgspec.field(default_factory=list)


class DataVolume(KubeObject, kw_only=True):
    spec: DataVolumeSpec
    status: DataVolumeStatus = msgspec.field(default_factory=DataVolumeStatus)
