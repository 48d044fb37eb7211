"""The rules of ``metadata`` that hold for every kind: what a client may set, and what only the store sets.

Source: Kubernetes apimachinery validation (ValidateObjectMeta) and rest.BeforeCreate/BeforeUpdate. Pure.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping

from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import Cause

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_MAX_ANNOTATIONS = 256 << 10

_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def generated_name(base: str) -> str:
    """``base`` cut so that the five characters put after it still make a DNS label."""
    suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return base[: 63 - _SUFFIX_LENGTH] + suffix


def keep_system_fields(new: ObjectMeta, old: ObjectMeta) -> None:
    """A writer cannot change what the store decides; it writes those fields back as they are."""
    new.name, new.namespace = old.name, old.namespace
    new.generate_name = old.generate_name
    new.uid = old.uid
    new.resource_version = old.resource_version
    new.generation = old.generation
    new.creation_timestamp = old.creation_timestamp
    new.deletion_timestamp = old.deletion_timestamp
    new.deletion_grace_period_seconds = old.deletion_grace_period_seconds
    new.self_link = ""


def check(meta: ObjectMeta, *, namespace: bool, namespaced: bool) -> list[Cause]:
    """All that is wrong with the metadata of a new or changed object. ``namespace``: the object is a Namespace."""
    causes = [*_check_name(meta.name, label=namespace)]
    if namespaced and not meta.namespace:
        causes.append(_required("metadata.namespace"))
    elif namespaced and not _is(_LABEL, meta.namespace, 63):
        causes.append(_wrong("metadata.namespace", meta.namespace, _LABEL_TEXT))
    elif not namespaced and meta.namespace:
        causes.append(
            Cause(
                "FieldValueForbidden", "metadata.namespace: Forbidden: not allowed on this type", "metadata.namespace"
            )
        )
    causes += _check_labels(meta.labels)
    causes += _check_annotations(meta.annotations)
    causes += _check_owners(meta)
    for position, finalizer in enumerate(meta.finalizers):
        causes += _check_qualified(f"metadata.finalizers[{position}]", finalizer)
    return causes


def check_finalizers(new: ObjectMeta, old: ObjectMeta) -> list[Cause]:
    """An object that is being deleted gets no new finalizers."""
    if old.deletion_timestamp is None:
        return []
    added = [name for name in new.finalizers if name not in old.finalizers]
    if not added:
        return []
    found = ", ".join(f'"{name}"' for name in added)
    message = (
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        f"found new finalizers []string{{{found}}}"
    )
    return [Cause("FieldValueForbidden", message, "metadata.finalizers")]


def _check_name(name: str, *, label: bool) -> Iterator[Cause]:
    if not name:
        yield Cause(
            "FieldValueRequired", "metadata.name: Required value: name or generateName is required", "metadata.name"
        )
    elif label and not _is(_LABEL, name, 63):
        yield _wrong("metadata.name", name, _LABEL_TEXT)
    elif not label and not _is(_SUBDOMAIN, name, 253):
        yield _wrong("metadata.name", name, _SUBDOMAIN_TEXT)


def _check_labels(labels: Mapping[str, str]) -> Iterator[Cause]:
    for key, value in labels.items():
        yield from _check_qualified("metadata.labels", key)
        if len(value) > 63:
            yield _wrong("metadata.labels", value, "must be no more than 63 characters")
        elif value and not _NAME_PART.fullmatch(value):
            yield _wrong("metadata.labels", value, _VALUE_TEXT)


def _check_annotations(annotations: Mapping[str, str]) -> Iterator[Cause]:
    size = 0
    for key, value in annotations.items():
        yield from _check_qualified("metadata.annotations", key.lower())
        size += len(key.encode()) + len(value.encode())
    if size > _MAX_ANNOTATIONS:
        message = f"metadata.annotations: Too long: may not be more than {_MAX_ANNOTATIONS} bytes"
        yield Cause("FieldValueTooLong", message, "metadata.annotations")


def _check_owners(meta: ObjectMeta) -> Iterator[Cause]:
    controllers = 0
    for position, owner in enumerate(meta.owner_references):
        field = f"metadata.ownerReferences[{position}]"
        for name, value in (
            ("apiVersion", owner.api_version),
            ("kind", owner.kind),
            ("name", owner.name),
            ("uid", owner.uid),
        ):
            if not value:
                yield _required(f"{field}.{name}")
        controllers += owner.controller is True
    if controllers > 1:
        message = (
            "metadata.ownerReferences: Invalid value: only one reference can have Controller set to true, "
            f"found {controllers}"
        )
        yield Cause("FieldValueInvalid", message, "metadata.ownerReferences")


def _check_qualified(field: str, name: str) -> Iterator[Cause]:
    prefix, slash, part = name.rpartition("/")
    if slash and not _is(_SUBDOMAIN, prefix, 253):
        yield _wrong(field, name, f"prefix part {_SUBDOMAIN_TEXT}")
    if len(part) > 63:
        yield _wrong(field, name, "name part must be no more than 63 characters")
    elif not _NAME_PART.fullmatch(part):
        yield _wrong(field, name, _QUALIFIED_TEXT)


def _is(pattern: re.Pattern[str], text: str, longest: int) -> bool:
    return len(text) <= longest and pattern.fullmatch(text) is not None


def _wrong(field: str, value: str, why: str) -> Cause:
    shown = value if len(value) <= 80 else value[:77] + "..."
    return Cause("FieldValueInvalid", f'{field}: Invalid value: "{shown}": {why}', field)


def _required(field: str) -> Cause:
    return Cause("FieldValueRequired", f"{field}: Required value", field)
