"""Snapshots and what a VM's status says of them."""

from __future__ import annotations

from solovirt.api.instancetype.find import types_of
from solovirt.api.instancetype.kinds import CLUSTER_INSTANCETYPES
from solovirt.api.instancetype.matchers import Matcher, MatcherRef, RevisionRef
from solovirt.api.instancetype.revision import snapshot, synced
from solovirt.api.meta import OwnerReference
from tests.unit.api.instancetype.samples import Objects, make, vm

OWNER = OwnerReference(api_version="kubevirt.io/v1", kind="VirtualMachine", name="web", uid="u")


def test_a_snapshot_has_all_that_it_takes() -> None:
    spec = {"cpu": {"guest": 3}, "memory": {"guest": "1Gi"}}
    given = make(CLUSTER_INSTANCETYPES, "small", spec, uid="123", generation=4, labels={"a": "b"})  # type: ignore[arg-type]
    made = snapshot(vm(), given, OWNER)
    assert made.metadata.name == "web-small-v1beta1-123-4"
    assert made.metadata.namespace == "default"
    assert made.metadata.owner_references == [OWNER]
    assert made.metadata.labels == {
        "instancetype.kubevirt.io/object-generation": "4",
        "instancetype.kubevirt.io/object-kind": "VirtualMachineClusterInstancetype",
        "instancetype.kubevirt.io/object-name": "small",
        "instancetype.kubevirt.io/object-uid": "123",
        "instancetype.kubevirt.io/object-version": "v1beta1",
    }
    assert made.data["metadata"] == {"name": "small", "uid": "123", "generation": 4}
    user = vm(instancetype={"name": "small", "revisionName": made.metadata.name})
    found = types_of(user, Objects(made)).instancetype
    assert found is not None
    assert found.cpu.guest == 3


def test_status_follows_the_matcher() -> None:
    ref = synced(Matcher(name="a", infer_from_volume_failure_policy="Ignore"), None)
    assert (ref.name, ref.revision, ref.infer_from_volume_failure_policy) == ("a", "", "Ignore")
    kept = MatcherRef(name="a", controller_revision_ref=RevisionRef(name="r"))
    assert synced(Matcher(name="a"), kept) == kept
    assert synced(Matcher(name="b"), kept) == MatcherRef(name="b")
    assert synced(Matcher(name="a", kind="K"), kept).revision == ""
    assert synced(Matcher(name="a", revision_name="s"), kept).revision == "s"
    assert kept.revision == "r"
