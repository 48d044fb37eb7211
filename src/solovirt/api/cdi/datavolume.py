"""DataVolume of cdi.kubevirt.io/v1beta1: fills a PersistentVolumeClaim of the same name."""

from __future__ import annotations

import msgspec

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.cdi.sources import (
    BlankSource,
    DataVolumeImport,
    HTTPSource,
    SourceReference,
    check_source,
    check_source_reference,
)
from solovirt.api.columns import crd_age
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaimSpec, check_claim_spec, check_modes
from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.meta import Condition, KubeObject, Model
from solovirt.api.metadata import check_metadata
from solovirt.api.quantities import check_storage
from solovirt.api.resource import Column, Resource
from solovirt.kit.errors import Cause

__all__ = ["RESOURCE", "BlankSource", "DataVolume", "DataVolumeImport", "DataVolumeSpec", "HTTPSource", "validate"]


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


class Checkpoint(Model):
    """A stage of a warm import from another hypervisor."""

    previous: str
    current: str


class DataVolumeSpec(Model):
    """``priorityClassName`` and ``serviceAccountName`` are of the pods that CDI starts: kept, without effect."""

    source: DataVolumeImport | None = None
    source_ref: SourceReference | None = None
    pvc: PersistentVolumeClaimSpec | None = None
    storage: StorageSpec | None = None
    content_type: str = ""
    preallocation: bool | None = None
    priority_class_name: str = ""
    service_account_name: str = ""
    checkpoints: list[Checkpoint] = msgspec.field(default_factory=list)
    final_checkpoint: bool = False


class DataVolumeStatus(Model):
    phase: str = ""
    progress: str = ""
    restart_count: int = 0
    claim_name: str = ""
    conditions: list[Condition] = msgspec.field(default_factory=list)


class DataVolume(KubeObject, kw_only=True):
    spec: DataVolumeSpec
    status: DataVolumeStatus = msgspec.field(default_factory=DataVolumeStatus)


def validate(new: DataVolume, old: DataVolume | None) -> list[Cause]:
    """One source, one target, a size; nothing of the spec may change. Source: CDI pkg/apiserver/webhooks."""
    causes = Causes()
    check_metadata(causes, new.metadata)
    if old is not None and new.spec != old.spec:
        causes.forbidden("spec", "Cannot update DataVolume Spec")
    check_data_volume_spec(causes, new.spec, "spec")
    return causes.found


def check_data_volume_spec(causes: Causes, spec: DataVolumeSpec, field: str) -> None:
    """Also of ``spec.dataVolumeTemplates[]`` in a VirtualMachine."""
    _check_origin(causes, spec, field)
    if spec.content_type not in ("", "kubevirt", "archive"):
        causes.invalid(f"{field}.contentType", spec.content_type, "ContentType not one of: kubevirt, archive")
    if (spec.pvc is None) == (spec.storage is None):
        places = f"{field}.pvc and {field}.storage"
        if spec.pvc is None:
            causes.add(REQUIRED, field, f"{field}: Missing storage definition, one of {places} must be set")
        else:
            causes.add(INVALID, field, f"{field}: Duplicate storage definition, only one of {places} may be set")
    if spec.pvc is not None:
        check_claim_spec(causes, spec.pvc, f"{field}.pvc")
    if spec.storage is not None:
        check_modes(causes, spec.storage.access_modes, spec.storage.volume_mode, f"{field}.storage")
        resources = spec.storage.resources
        place = f"{field}.storage.resources"
        check_storage(causes, resources.requests, resources.limits, place, required=not _is_clone(spec))


def _is_clone(spec: DataVolumeSpec) -> bool:
    """Whether the size may be that of the source."""
    source = spec.source
    cloned = source is not None and (source.pvc is not None or source.snapshot is not None)
    return spec.storage is not None and (cloned or spec.source_ref is not None)


def _check_origin(causes: Causes, spec: DataVolumeSpec, field: str) -> None:
    """Exactly one of source and sourceRef, and what is wrong with it."""
    if (spec.source is None) == (spec.source_ref is None):
        text = "Data volume should have either Source or SourceRef, or be externally populated"
        if spec.source is None:
            causes.required(f"{field}.source", text)
        else:
            causes.add(INVALID, f"{field}.source", f"{field}.source: {text}")
    if spec.source is not None:
        check_source(causes, spec.source, spec.content_type, f"{field}.source")
    if spec.source_ref is not None:
        check_source_reference(causes, spec.source_ref, f"{field}.sourceRef")


RESOURCE = Resource(
    group="cdi.kubevirt.io",
    version="v1beta1",
    kind="DataVolume",
    plural="datavolumes",
    singular="datavolume",
    type=DataVolume,
    short_names=("dv", "dvs"),
    categories=("all",),
    columns=(
        Column("Phase", lambda obj: obj.status.phase, description="The phase the data volume is in"),
        Column("Progress", lambda obj: obj.status.progress, description="Transfer progress in percentage if known"),
        Column(
            "Restarts",
            lambda obj: obj.status.restart_count,
            type="integer",
            description="The number of times the transfer has been restarted.",
        ),
        crd_age(DataVolume),
    ),
    has_status=True,
    validate=validate,
)
