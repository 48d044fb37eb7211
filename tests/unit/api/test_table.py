from datetime import UTC, datetime

from solovirt.api.meta import Condition
from solovirt.api.registry import ALL, EVENTS, VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from solovirt.api.table import columns, is_date, table

from .samples import vm

NOW = datetime(2026, 11, 22, 14, 0, 15, tzinfo=UTC)


def test_rows_have_humanised_ages_and_nulls() -> None:
    obj = vm({"metadata.creationTimestamp": "2026-11-22T14:00:00Z"})
    obj.status.printable_status = "Running"
    found = table(VIRTUAL_MACHINES, [obj], resource_version=7, now=NOW)
    assert found["kind"] == "Table" and found["apiVersion"] == "meta.k8s.io/v1"
    assert found["metadata"] == {"resourceVersion": "7"}
    [row] = found["rows"]
    assert row["cells"] == ["web", "15s", "Running", None]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    obj.status.conditions = [Condition(type="Ready", status="True")]
    whole = table(VIRTUAL_MACHINES, [obj], resource_version="7", now=NOW, include_object="Object")
    assert whole["rows"][0]["object"]["spec"]["runStrategy"] == "Always"
    assert whole["rows"][0]["cells"][3] == "True"
    none = table(VIRTUAL_MACHINES, [obj], resource_version="7", now=NOW, include_object="None")
    assert "object" not in none["rows"][0]


def test_pages_say_what_remains() -> None:
    found = table(VIRTUAL_MACHINES, [], resource_version=7, now=NOW, continue_token="t", remaining=3)
    assert found["metadata"] == {"resourceVersion": "7", "continue": "t", "remainingItemCount": 3}
    assert found["rows"] == []


def names(resource: object, wide: bool = False) -> list[object]:
    found = columns(resource)
    return [c["name"] for c in found if wide or c["priority"] == 0]


def test_columns_are_kubevirts_and_kubernetes() -> None:
    assert names(VIRTUAL_MACHINES) == ["Name", "Age", "Status", "Ready"]
    assert names(VIRTUAL_MACHINE_INSTANCES) == ["Name", "Age", "Phase", "IP", "NodeName", "Ready"]
    assert names(VIRTUAL_MACHINE_INSTANCES, wide=True)[-2:] == ["Live-Migratable", "Paused"]
    expected = {
        "datavolumes": ["Name", "Phase", "Progress", "Restarts", "Age"],
        "persistentvolumeclaims": ["Name", "Status", "Volume", "Capacity", "Access Modes", "StorageClass", "Age"],
        "secrets": ["Name", "Type", "Data", "Age"],
        "configmaps": ["Name", "Data", "Age"],
        "namespaces": ["Name", "Status", "Age"],
        "events": ["Name", "Last Seen", "Type", "Reason", "Object", "Message"],
    }
    assert {kind.plural: names(kind) for kind in ALL if kind.plural in expected} == expected


def test_dates() -> None:
    assert [c.name for c in EVENTS.columns if is_date(c)] == ["Last Seen", "First Seen"]
    assert [c["type"] for c in columns(VIRTUAL_MACHINES)][:2] == ["string", "date"]
