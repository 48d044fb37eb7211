"""The rules of ``metadata`` that hold for every kind: what a client may set, and what only the store sets.

Source: Kubernetes apimachinery validation (ValidateObjectMeta) and rest.BeforeCreate/BeforeUpdate. Pure.
"""

from __future__ import annotations

import secrets

from solovirt.api.causes import Causes
from solovirt.api.meta import ObjectMeta
from solovirt.api.metadata import check_metadata
from solovirt.kit.names import label_problem, subdomain_problem

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_MAX_BASE = 63 - _SUFFIX_LENGTH


def generated_name(base: str) -> str:
    """``base`` cut so that the five characters put after it still make a DNS label."""
    return base[:_MAX_BASE] + "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))


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


def check(causes: Causes, meta: ObjectMeta, *, label_name: bool, namespaced: bool) -> None:
    """All that is wrong with the metadata of a new or changed object. ``label_name``: its name must be a DNS label.

    Names become parts of paths: this is the last place that sees them all.
    """
    check_metadata(causes, meta, name_problem=label_problem if label_name else subdomain_problem)
    if namespaced and not meta.namespace:
        causes.required("metadata.namespace")
    elif not namespaced and meta.namespace:
        causes.forbidden("metadata.namespace", "not allowed on this type")
    _check_owners(causes, meta)


def check_finalizers(causes: Causes, new: ObjectMeta, old: ObjectMeta) -> None:
    """An object that is being deleted gets no new finalizers."""
    added = [name for name in new.finalizers if name not in old.finalizers]
    if old.deletion_timestamp is not None and added:
        found = ", ".join(f'"{name}"' for name in added)
        causes.forbidden(
            "metadata.finalizers",
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{found}}}",
        )


def _check_owners(causes: Causes, meta: ObjectMeta) -> None:
    for position, owner in enumerate(meta.owner_references):
        named = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
        for name, value in named.items():
            if not value:
                causes.required(f"metadata.ownerReferences[{position}].{name}")
    controllers = sum(owner.controller is True for owner in meta.owner_references)
    if controllers > 1:
        causes.invalid("metadata.ownerReferences", controllers, "only one reference can have Controller set to true")
