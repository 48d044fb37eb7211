"""Rules for the files of a downwardAPI volume. Source: kubernetes pkg/apis/core/validation."""

from __future__ import annotations

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.downward import RESOURCES, known_field
from solovirt.api.kubevirt.spec.sources import DownwardAPIFile
from solovirt.api.quantities import checked

_MAX_PATH = 248
_MODES = 0o777


def check_downward_file(causes: Causes, file: DownwardAPIFile, field: str) -> None:
    """``field`` is the path of the file's entry."""
    path = file.path
    if not path:
        causes.required(f"{field}.path")
    elif path.startswith("/") or not path.isprintable() or len(path) > _MAX_PATH:
        causes.invalid(f"{field}.path", path, "must be a relative path of printable characters")
    elif any(part in ("", ".", "..") for part in path.split("/")):
        causes.invalid(f"{field}.path", path, "must not contain '..'")
    if file.mode is not None and not 0 <= file.mode <= _MODES:
        causes.invalid(f"{field}.mode", file.mode, "must be a number between 0 and 0777 (octal), both inclusive")
    if file.field_ref is not None and file.resource_field_ref is not None:
        causes.invalid(field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif file.field_ref is not None:
        if not known_field(file.field_ref.field_path):
            place, wrong = f"{field}.fieldRef.fieldPath", file.field_ref.field_path
            causes.invalid(place, wrong, "error converting fieldPath: field label not supported")
        if file.field_ref.api_version not in ("", "v1"):
            causes.not_supported(f"{field}.fieldRef.apiVersion", file.field_ref.api_version, ("v1",))
    elif file.resource_field_ref is not None:
        reference = file.resource_field_ref
        if reference.resource not in RESOURCES:
            causes.not_supported(f"{field}.resourceFieldRef.resource", reference.resource, RESOURCES)
        checked(causes, reference.divisor, f"{field}.resourceFieldRef.divisor")
    else:
        causes.required(field, "one of fieldRef and resourceFieldRef is required")
