"""PersistentVolumeClaim (core/v1): a local disk of this host."""

from __future__ import annotations

import msgspec

from solovirt.api.causes import Causes
from solovirt.api.columns import core_age
from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.meta import Condition, KubeObject, Model
from solovirt.api.metadata import check_metadata
from solovirt.api.quantities import as_bytes, check_storage
from solovirt.api.resource import Column, Resource
from solovirt.kit.errors import Cause

FILESYSTEM, BLOCK = "Filesystem", "Block"
ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


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


def default(claim: PersistentVolumeClaim) -> None:
    claim.spec.volume_mode = claim.spec.volume_mode or FILESYSTEM


def validate(new: PersistentVolumeClaim, old: PersistentVolumeClaim | None) -> list[Cause]:
    """Access modes, a positive size, Filesystem mode; on update nothing of the spec may change but a growing size."""
    causes = Causes()
    check_metadata(causes, new.metadata)
    check_claim_spec(causes, new.spec, "spec")
    if old is not None:
        _check_update(causes, new, old)
    return causes.found


def check_claim_spec(causes: Causes, spec: PersistentVolumeClaimSpec, field: str) -> None:
    """Also of ``spec.pvc`` in a DataVolume."""
    if not spec.access_modes:
        causes.required(f"{field}.accessModes", "at least 1 access mode is required")
    check_modes(causes, spec.access_modes, spec.volume_mode, field)
    check_storage(causes, spec.resources.requests, spec.resources.limits, f"{field}.resources", required=True)


def check_modes(causes: Causes, access_modes: list[str], volume_mode: str, field: str) -> None:
    for mode in access_modes:
        if mode not in ACCESS_MODES:
            causes.not_supported(f"{field}.accessModes", mode, ACCESS_MODES)
    if "ReadWriteOncePod" in access_modes and len(access_modes) > 1:
        causes.forbidden(f"{field}.accessModes", "may not use ReadWriteOncePod with other access modes")
    if volume_mode not in ("", FILESYSTEM, BLOCK):
        causes.not_supported(f"{field}.volumeMode", volume_mode, (BLOCK, FILESYSTEM))


def _check_update(causes: Causes, new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> None:
    """Kubernetes lets a bound claim grow; the controller may fill in ``volumeName`` once."""
    fixed = ("access_modes", "storage_class_name", "volume_mode")
    changed = any(getattr(new.spec, name) != getattr(old.spec, name) for name in fixed)
    if changed or (old.spec.volume_name and new.spec.volume_name != old.spec.volume_name):
        text = "spec is immutable after creation except resources.requests for bound claims"
        causes.forbidden("spec", text)
    before, after = (
        as_bytes(old.spec.resources.requests.get("storage")),
        as_bytes(new.spec.resources.requests.get("storage")),
    )
    if before is not None and after is not None and after < before:
        causes.forbidden("spec.resources.requests.storage", "field can not be less than previous value")


def _capacity(claim: PersistentVolumeClaim) -> str | None:
    capacity = claim.status.capacity.get("storage")
    return str(capacity) if capacity is not None else None


def _access_modes(claim: PersistentVolumeClaim) -> str:
    modes = claim.status.access_modes if claim.status.phase == "Bound" else []
    return ",".join(ACCESS_MODES.get(mode, mode) for mode in modes)


RESOURCE = Resource(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    type=PersistentVolumeClaim,
    short_names=("pvc",),
    columns=(
        Column("Status", lambda obj: obj.status.phase, description="The current phase of the claim"),
        Column("Volume", lambda obj: obj.spec.volume_name, description="The volume that backs the claim"),
        Column("Capacity", _capacity, description="The actual size of the volume"),
        Column("Access Modes", _access_modes, description="The actual access modes of the volume"),
        Column("StorageClass", lambda obj: obj.spec.storage_class_name, description="Name of the StorageClass"),
        core_age(PersistentVolumeClaim),
        Column("VolumeMode", lambda obj: obj.spec.volume_mode, description="Filesystem or Block", priority=1),
    ),
    has_status=True,
    default=default,
    validate=validate,
)
