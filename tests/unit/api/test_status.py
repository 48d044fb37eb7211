from solovirt.api import status
from solovirt.api.registry import CONFIG_MAPS, VIRTUAL_MACHINES
from solovirt.kit.errors import Cause, HostError, Invalid, NotFound


def test_failure_has_kubernetes_shape() -> None:
    error = NotFound('virtualmachines.kubevirt.io "web" not found')
    assert status.failure(error, resource=VIRTUAL_MACHINES, name="web") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'virtualmachines.kubevirt.io "web" not found',
        "reason": "NotFound",
        "details": {"name": "web", "group": "kubevirt.io", "kind": "virtualmachines"},
        "code": 404,
    }


def test_causes_and_core_group() -> None:
    error = Invalid("a, b", causes=[Cause("FieldValueInvalid", "a", "spec.a"), Cause("FieldValueRequired", "b")])
    found = status.failure(error, resource=CONFIG_MAPS, name="")
    assert found["details"] == {
        "kind": "configmaps",
        "causes": [
            {"reason": "FieldValueInvalid", "message": "a", "field": "spec.a"},
            {"reason": "FieldValueRequired", "message": "b"},
        ],
    }


def test_field_and_hint_of_an_error() -> None:
    found = status.failure(HostError("no skopeo", reason="ToolMissing", field="spec.x", hint="apt install skopeo"))
    assert found["message"] == "spec.x: no skopeo (apt install skopeo)"
    assert found["details"] == {"causes": [{"reason": "ToolMissing", "message": "no skopeo", "field": "spec.x"}]}
    assert "details" not in status.failure(HostError("x"))


def test_success() -> None:
    assert status.success(resource=VIRTUAL_MACHINES, name="web", uid="u") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "web", "group": "kubevirt.io", "kind": "virtualmachines", "uid": "u"},
    }
    assert status.success(message="done")["message"] == "done"
