"""Snapshots of instancetypes and preferences, so that later edits do not change VMs that use them. Pure.

Source: kubevirt pkg/instancetype/revision/store.go.
"""

from __future__ import annotations

from solovirt.api.apps.controllerrevision import ControllerRevision
from solovirt.api.instancetype.find import NAME_LABEL
from solovirt.api.instancetype.instancetype import AnyInstancetype
from solovirt.api.instancetype.kinds import VERSION
from solovirt.api.instancetype.matchers import Matcher, MatcherRef, RevisionRef
from solovirt.api.instancetype.preference_rules import AnyPreference
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.meta import ObjectMeta, OwnerReference
from solovirt.kit.json import clone, to_object

_PREFIX = "instancetype.kubevirt.io/object-"


def snapshot(vm: VirtualMachine, obj: AnyInstancetype | AnyPreference, owner: OwnerReference) -> ControllerRevision:
    """The revision that keeps ``obj`` as it is now for ``vm``, and goes with it."""
    meta = obj.metadata
    kept = clone(obj)
    kept.metadata = ObjectMeta(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        resource_version=meta.resource_version,
        generation=meta.generation,
        creation_timestamp=meta.creation_timestamp,
    )
    return ControllerRevision(
        metadata=ObjectMeta(
            name=f"{vm.metadata.name}-{meta.name}-{VERSION}-{meta.uid}-{meta.generation}",
            namespace=vm.metadata.namespace,
            owner_references=[owner],
            labels={
                f"{_PREFIX}generation": str(meta.generation),
                f"{_PREFIX}kind": obj.kind,
                NAME_LABEL: meta.name,
                f"{_PREFIX}uid": meta.uid,
                f"{_PREFIX}version": VERSION,
            },
        ),
        data=dict(to_object(kept)),
    )


def synced(matcher: Matcher, ref: MatcherRef | None) -> MatcherRef:
    """The status of a matcher, without a revision where one must be stored yet."""
    new = clone(ref) if ref is not None else MatcherRef()
    moved = False
    for field in ("name", "kind", "infer_from_volume"):
        value = str(getattr(matcher, field))
        if value and value != getattr(new, field):
            setattr(new, field, value)
            moved = True
    if moved:
        new.controller_revision_ref = None
    if matcher.infer_from_volume_failure_policy:
        new.infer_from_volume_failure_policy = matcher.infer_from_volume_failure_policy
    if matcher.revision_name and new.revision != matcher.revision_name:
        new.controller_revision_ref = RevisionRef(name=matcher.revision_name)
    return new
