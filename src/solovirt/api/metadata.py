"""Rules for ``metadata`` that all kinds share: name, labels, annotations, finalizers.

Source: k8s.io/apimachinery/pkg/api/validation/objectmeta.go. Whether a namespace exists is the store's matter.
"""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api.causes import Causes
from solovirt.api.meta import ObjectMeta
from solovirt.kit.names import SUBDOMAIN_MAX, key_problem, label_problem, label_value_problem, subdomain_problem

_ANNOTATIONS_MAX = 256 * 1024


def check_metadata(
    causes: Causes,
    meta: ObjectMeta,
    *,
    field: str = "metadata",
    name_problem: Callable[[str], str] = subdomain_problem,
    max_name: int = SUBDOMAIN_MAX,
) -> None:
    """Every problem of an object's own metadata. A name may be missing if ``generateName`` is there."""
    _check_name(causes, meta, field, name_problem, max_name)
    if meta.namespace and (problem := label_problem(meta.namespace)):
        causes.invalid(f"{field}.namespace", meta.namespace, problem)
    check_labels(causes, meta, field=field)
    for finalizer in meta.finalizers:
        if problem := key_problem(finalizer):
            causes.invalid(f"{field}.finalizers", finalizer, problem)


def _check_name(
    causes: Causes, meta: ObjectMeta, field: str, name_problem: Callable[[str], str], max_name: int
) -> None:
    if not meta.name:
        if not meta.generate_name:
            causes.required(f"{field}.name", "name or generateName is required")
        elif problem := name_problem(meta.generate_name.rstrip("-.") or "-"):
            causes.invalid(f"{field}.generateName", meta.generate_name, problem)
        return
    if problem := name_problem(meta.name):
        causes.invalid(f"{field}.name", meta.name, problem)
    elif len(meta.name) > max_name:
        causes.invalid(f"{field}.name", meta.name, f"must be no more than {max_name} characters")


def check_labels(causes: Causes, meta: ObjectMeta, *, field: str = "metadata") -> None:
    """Labels and annotations only (templates have no name of their own)."""
    for key, value in meta.labels.items():
        if problem := key_problem(key):
            causes.invalid(f"{field}.labels", key, problem)
        if problem := label_value_problem(value):
            causes.invalid(f"{field}.labels", value, problem)
    for key in meta.annotations:
        if problem := key_problem(key.lower()):
            causes.invalid(f"{field}.annotations", key, problem)
    if sum(len(key) + len(value) for key, value in meta.annotations.items()) > _ANNOTATIONS_MAX:
        causes.add(
            "FieldValueTooLong", f"{field}.annotations", f"{field}.annotations: Too long: more than 262144 bytes"
        )
