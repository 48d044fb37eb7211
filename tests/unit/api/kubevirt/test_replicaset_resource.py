from __future__ import annotations

from datetime import UTC, datetime

from solovirt.api.kubevirt.replicaset import ReplicaSetSpec, VirtualMachineInstanceReplicaSet
from solovirt.api.kubevirt.replicaset_resource import RESOURCE, validate_replica_set
from solovirt.api.kubevirt.spec.compute import Memory
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.scheduling import LabelSelector
from solovirt.api.kubevirt.virtualmachine import InstanceTemplate
from solovirt.api.meta import ObjectMeta
from solovirt.api.table import table
from solovirt.kit.json import clone


def replica_set() -> VirtualMachineInstanceReplicaSet:
    spec = VirtualMachineInstanceSpec(domain=Domain(memory=Memory(guest="64Mi")))
    return VirtualMachineInstanceReplicaSet(
        metadata=ObjectMeta(name="web", namespace="default", creation_timestamp="2026-01-01T00:00:00Z"),
        spec=ReplicaSetSpec(
            selector=LabelSelector(match_labels={"app": "web"}),
            template=InstanceTemplate(metadata=ObjectMeta(labels={"app": "web"}), spec=spec),
        ),
    )


def messages(found: VirtualMachineInstanceReplicaSet) -> dict[str, str]:
    return {cause.field: cause.message for cause in validate_replica_set(found, None)}


def test_a_good_one_is_left_as_it_is() -> None:
    made = replica_set()
    before = clone(made)
    assert validate_replica_set(made, None) == []
    assert made == before, "the template is not filled in: each VMI is"


def test_the_selector_must_match_the_template() -> None:
    made = replica_set()
    made.spec.selector.match_labels["tier"] = "db"
    assert messages(made) == {"spec.selector": "selector does not match labels."}


def test_what_is_wrong_in_the_template_has_its_place() -> None:
    made = replica_set()
    made.spec.replicas = -2
    made.spec.template.spec.hostname = "no spaces"
    made.spec.template.metadata.labels["kubevirt.io/created-by"] = "me"
    found = messages(made)
    assert set(found) == {"spec.replicas", "spec.template.spec.hostname", *(f for f in found if ".metadata" in f)}
    assert found["spec.template.spec.hostname"].startswith("spec.template.spec.hostname does not conform")
    assert any(field.startswith("spec.template.metadata.labels") for field in found)


def test_one_that_is_being_deleted_is_let_through() -> None:
    made = replica_set()
    made.spec.replicas = -2
    made.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    assert messages(made) == {}


def test_columns() -> None:
    made = replica_set()
    made.status.replicas, made.status.ready_replicas = 3, 2
    shown = table(RESOURCE, [made], resource_version="1", now=datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
    columns, rows = shown["columnDefinitions"], shown["rows"]
    assert isinstance(columns, list) and isinstance(rows, list)
    assert [column["name"] for column in columns if isinstance(column, dict)] == [
        "Name",
        "Desired",
        "Current",
        "Ready",
        "Age",
    ]
    [row] = rows
    assert isinstance(row, dict) and row["cells"] == ["web", 1, 3, 2, "60s"]


def test_scale() -> None:
    made = replica_set()
    assert RESOURCE.scale is not None
    RESOURCE.scale.want(made, 4)
    assert made.spec.replicas == 4 == RESOURCE.scale.wanted(made)
