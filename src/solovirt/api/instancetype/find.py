"""What a VM's matchers mean: a snapshot of its own, or the object that has the name now.

Source: kubevirt pkg/instancetype/find, preference/find, compatibility.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from solovirt.api.admission import Lookup
from solovirt.api.apps.controllerrevision import RESOURCE as REVISIONS
from solovirt.api.apps.controllerrevision import ControllerRevision
from solovirt.api.instancetype.apply import Types
from solovirt.api.instancetype.instancetype import AnyInstancetype, InstancetypeSpec
from solovirt.api.instancetype.kinds import (
    CLUSTER_INSTANCETYPES,
    CLUSTER_PREFERENCES,
    INSTANCETYPES,
    PREFERENCES,
)
from solovirt.api.instancetype.matchers import Matcher, MatcherRef
from solovirt.api.instancetype.preference import PreferenceSpec
from solovirt.api.instancetype.preference_rules import AnyPreference
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.kit.errors import NotFound, SolovirtError
from solovirt.kit.json import convert
from solovirt.kit.names import nearest

T = TypeVar("T", bound=KubeObject)
S = TypeVar("S", InstancetypeSpec, PreferenceSpec)

NAME_LABEL = "instancetype.kubevirt.io/object-name"
NO_INSTANCETYPE, NO_PREFERENCE = "FailedFindInstancetype", "FailedFindPreference"


def types_of(vm: VirtualMachine, objects: Lookup) -> Types:
    """Raises what :func:`instancetype_of` and :func:`preference_of` raise."""
    return Types(instancetype_of(vm, objects), preference_of(vm, objects))


def instancetype_of(vm: VirtualMachine, objects: Lookup) -> InstancetypeSpec | None:
    """None for a VM without one. Raises NotFound, SolovirtError, both with reason FailedFindInstancetype."""
    matcher = vm.spec.instancetype
    if matcher is None or not (matcher.name or matcher.revision_name):
        return None
    try:
        revision = _revision(vm, matcher, vm.status.instancetype_ref, objects)
        return _spec(revision, InstancetypeSpec) if revision is not None else instancetype_named(vm, objects).spec
    except SolovirtError as error:
        error.reason = NO_INSTANCETYPE
        raise


def preference_of(vm: VirtualMachine, objects: Lookup) -> PreferenceSpec | None:
    """None for a VM without one. Raises NotFound, SolovirtError, both with reason FailedFindPreference."""
    matcher = vm.spec.preference
    if matcher is None or not (matcher.name or matcher.revision_name):
        return None
    try:
        revision = _revision(vm, matcher, vm.status.preference_ref, objects)
        return _spec(revision, PreferenceSpec) if revision is not None else preference_named(vm, objects).spec
    except SolovirtError as error:
        error.reason = NO_PREFERENCE
        raise


def instancetype_named(vm: VirtualMachine, objects: Lookup) -> AnyInstancetype:
    """The object itself. Raises NotFound."""
    matcher = vm.spec.instancetype
    assert matcher is not None, "only VMs with an instancetype are asked"
    if _is(matcher, INSTANCETYPES):
        return _get(objects, INSTANCETYPES, vm.metadata.namespace, matcher.name)
    if not matcher.kind or _is(matcher, CLUSTER_INSTANCETYPES):
        return _get(objects, CLUSTER_INSTANCETYPES, "", matcher.name)
    raise SolovirtError(f"got unexpected kind in InstancetypeMatcher: {matcher.kind}")


def preference_named(vm: VirtualMachine, objects: Lookup) -> AnyPreference:
    """The object itself. Raises NotFound."""
    matcher = vm.spec.preference
    assert matcher is not None, "only VMs with a preference are asked"
    if _is(matcher, PREFERENCES):
        return _get(objects, PREFERENCES, vm.metadata.namespace, matcher.name)
    if not matcher.kind or _is(matcher, CLUSTER_PREFERENCES):
        return _get(objects, CLUSTER_PREFERENCES, "", matcher.name)
    raise SolovirtError(f"got unexpected kind in PreferenceMatcher: {matcher.kind}")


def annotations_of(vm: VirtualMachine) -> dict[str, str]:
    """What a VMI says of the types that it was made with."""
    found: dict[str, str] = {}
    for what, matcher, own in (
        ("instancetype", vm.spec.instancetype, INSTANCETYPES.kind),
        ("preference", vm.spec.preference, PREFERENCES.kind),
    ):
        if matcher is not None:
            own_kind = matcher.kind.lower().rstrip("s") == own.lower()
            found[f"kubevirt.io/{'' if own_kind else 'cluster-'}{what}-name"] = matcher.name
    return found


def _is(matcher: Matcher, res: Resource[T]) -> bool:
    return matcher.kind.lower() in (res.singular, res.plural)


def _get(objects: Lookup, res: Resource[T], namespace: str, name: str) -> T:
    found = objects.find(res, namespace, name)
    if found is not None:
        return found
    names = [obj.metadata.name for obj in objects.every(res, namespace if res.namespaced else None)]
    near = nearest(name, names)
    hint = f"did you mean {near!r}?" if near else f"`solovirt get {res.short_names[-2]}` lists them"
    raise NotFound(f'{res.key} "{name}" not found', hint=hint)


def _revision(
    vm: VirtualMachine, matcher: Matcher, ref: MatcherRef | None, objects: Lookup
) -> ControllerRevision | None:
    if matcher.revision_name:
        return _get_revision(objects, vm.metadata.namespace, matcher.revision_name)
    if ref is None or not ref.revision:
        return None
    found = _get_revision(objects, vm.metadata.namespace, ref.revision)
    # The matcher may name another object by now.
    return found if found.metadata.labels.get(NAME_LABEL) == matcher.name else None


def _get_revision(objects: Lookup, namespace: str, name: str) -> ControllerRevision:
    found = objects.find(REVISIONS, namespace, name)
    if found is None:
        raise NotFound(f'{REVISIONS.key} "{name}" not found')
    return found


def _spec(revision: ControllerRevision, kind: type[S]) -> S:
    name = revision.metadata.name
    wanted = "Instancetype" if kind is InstancetypeSpec else "Preference"
    if not str(revision.data.get("kind", "")).endswith(wanted):
        raise SolovirtError(f"controllerrevision {name} holds a {revision.data.get('kind')!r}, not a {wanted}")
    try:
        return convert(revision.data.get("spec"), kind)
    except msgspec.ValidationError as error:
        raise SolovirtError(f"controllerrevision {name} cannot be read: {error}") from None
