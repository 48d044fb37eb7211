"""DataVolume of cdi.kubevirt.io/v1beta1: fills a PersistentVolumeClaim of the same name."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.columns import crd_age
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaimSpec, check_claim_spec, check_modes
from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.meta import Condition, KubeObject, Model
from solovirt.api.metadata import check_metadata
from solovirt.api.quantities import check_storage
from solovirt.api.resource import Column, Resource
from solovirt.kit.errors import Cause

CHECKSUM_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_CHECKSUM = re.compile(r"(?P<algorithm>[a-z0-9]+):(?P<digest>[0-9a-fA-F]+)")


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
    _check_source(causes, spec.source, f"{field}.source")
    if spec.content_type == "archive":
        causes.known_unsupported(f"{field}.contentType", spec.content_type)
    elif spec.content_type not in ("", "kubevirt"):
        causes.invalid(f"{field}.contentType", spec.content_type, "ContentType not one of: kubevirt, archive")
    if spec.preallocation:
        causes.known_unsupported(f"{field}.preallocation", "true")
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
        check_storage(causes, resources.requests, resources.limits, f"{field}.storage.resources", required=True)


def _check_source(causes: Causes, source: DataVolumeImport | None, field: str) -> None:
    if source is None:
        causes.required(field, "Data volume should have either Source, SourceRef or be externally populated")
        return
    if (source.http is None) == (source.blank is None):
        text = "Multiple data volume sources specified" if source.http else "Missing data volume source"
        causes.add(INVALID if source.http else REQUIRED, field, f"{field}: {text}")
    if source.http is not None:
        _check_http(causes, source.http, f"{field}.http")


def _check_http(causes: Causes, http: HTTPSource, field: str) -> None:
    if problem := _url_problem(http.url):
        causes.invalid(f"{field}.url", http.url, problem)
    if not http.checksum:
        return
    match = _CHECKSUM.fullmatch(http.checksum)
    if match is None or match["algorithm"] not in CHECKSUM_DIGITS:
        causes.invalid(
            f"{field}.checksum", http.checksum, "must be <algorithm>:<hex>, of " + ", ".join(CHECKSUM_DIGITS)
        )
    elif len(match["digest"]) != CHECKSUM_DIGITS[match["algorithm"]]:
        digits = CHECKSUM_DIGITS[match["algorithm"]]
        causes.invalid(f"{field}.checksum", http.checksum, f"a {match['algorithm']} checksum has {digits} hex digits")


def _url_problem(url: str) -> str:
    """CDI takes http and https only. Characters that no URL has would reach log files and other programs."""
    if not url:
        return "must be set"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "must be made of printable ASCII without spaces"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme not in ("http", "https"):
        return "Invalid source URL, scheme must be http or https"
    return "" if parts.hostname and port != 0 else "Invalid source URL, it has no host"


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
