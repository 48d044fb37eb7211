"""What matchers mean: a revision, or the object of that name now."""

from __future__ import annotations

import pytest

from solovirt.api.apps.controllerrevision import RESOURCE as REVISIONS
from solovirt.api.apps.controllerrevision import ControllerRevision
from solovirt.api.instancetype import find
from solovirt.api.instancetype.kinds import CLUSTER_INSTANCETYPES, CLUSTER_PREFERENCES, INSTANCETYPES, PREFERENCES
from solovirt.api.instancetype.matchers import MatcherRef, RevisionRef
from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import NotFound, SolovirtError
from tests.unit.api.instancetype.samples import Objects, make, vm


def sized(vcpus: int) -> dict[str, object]:
    return {"cpu": {"guest": vcpus}, "memory": {"guest": "1Gi"}}


def revision(name: str, of: str, vcpus: int, kind: str = "VirtualMachineClusterInstancetype") -> ControllerRevision:
    meta = ObjectMeta(name=name, namespace="default", labels={find.NAME_LABEL: of})
    return ControllerRevision(metadata=meta, data={"kind": kind, "spec": sized(vcpus)})


OBJECTS = Objects(
    make(CLUSTER_INSTANCETYPES, "small", sized(1)),  # type: ignore[arg-type]
    make(INSTANCETYPES, "small", sized(2)),  # type: ignore[arg-type]
    make(CLUSTER_PREFERENCES, "os", {"preferredSubdomain": "cluster"}),
    make(PREFERENCES, "os", {"preferredSubdomain": "own"}),
    revision("kept", "small", 7),
    revision("wrong", "small", 7, "VirtualMachinePreference"),
)


@pytest.mark.parametrize(
    ("matcher", "vcpus"),
    [
        ({"name": "small"}, 1),
        ({"name": "small", "kind": "VirtualMachineClusterInstancetype"}, 1),
        ({"name": "small", "kind": "virtualmachineclusterinstancetypes"}, 1),
        ({"name": "small", "kind": "VirtualMachineInstancetype"}, 2),
        ({"name": "small", "revisionName": "kept"}, 7),
    ],
)
def test_instancetypes(matcher: dict[str, str], vcpus: int) -> None:
    found = find.instancetype_of(vm(instancetype=matcher), OBJECTS)
    assert found is not None
    assert found.cpu.guest == vcpus


def test_preferences() -> None:
    for kind, subdomain in (("", "cluster"), ("VirtualMachinePreference", "own")):
        found = find.preference_of(vm(preference={"name": "os", "kind": kind}), OBJECTS)
        assert found is not None
        assert found.preferred_subdomain == subdomain
    assert not find.types_of(vm(), OBJECTS)


def test_the_status_names_the_revision() -> None:
    made = vm(instancetype={"name": "small"})
    made.status.instancetype_ref = MatcherRef(name="small", controller_revision_ref=RevisionRef(name="kept"))
    found = find.instancetype_of(made, OBJECTS)
    assert found is not None
    assert found.cpu.guest == 7
    # It is another's when the VM has moved on.
    made = vm(instancetype={"name": "small", "kind": "VirtualMachineInstancetype"})
    made.status.instancetype_ref = MatcherRef(controller_revision_ref=RevisionRef(name="else"))
    found = find.instancetype_of(made, Objects(*OBJECTS.objects, revision("else", "large", 9)))
    assert found is not None
    assert found.cpu.guest == 2


def test_what_is_not_there() -> None:
    with pytest.raises(NotFound) as caught:
        find.instancetype_of(vm(instancetype={"name": "smal"}), OBJECTS)
    assert caught.value.reason == "FailedFindInstancetype"
    text = 'virtualmachineclusterinstancetypes.instancetype.kubevirt.io "smal" not found'
    assert caught.value.message == text
    assert caught.value.hint == "did you mean 'small'?"
    with pytest.raises(NotFound) as caught:
        find.preference_of(vm(preference={"name": "zzz", "kind": "VirtualMachinePreference"}), OBJECTS)
    assert caught.value.reason == "FailedFindPreference"
    assert caught.value.hint == "`solovirt get vmp` lists them"
    with pytest.raises(NotFound, match=f'{REVISIONS.key} "gone" not found'):
        find.instancetype_of(vm(instancetype={"name": "small", "revisionName": "gone"}), OBJECTS)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"instancetype": {"name": "a", "kind": "foobar"}}, "got unexpected kind in InstancetypeMatcher: foobar"),
        ({"preference": {"name": "a", "kind": "foobar"}}, "got unexpected kind in PreferenceMatcher: foobar"),
        ({"instancetype": {"name": "small", "revisionName": "wrong"}}, "holds a 'VirtualMachinePreference'"),
    ],
)
def test_wrong_kinds(fields: dict[str, object], text: str) -> None:
    with pytest.raises(SolovirtError, match=text):
        find.types_of(vm(**fields), OBJECTS)


def test_annotations_of_a_vmi() -> None:
    made = vm(instancetype={"name": "small"}, preference={"name": "os", "kind": "VirtualMachinePreference"})
    assert find.annotations_of(made) == {
        "kubevirt.io/cluster-instancetype-name": "small",
        "kubevirt.io/preference-name": "os",
    }
