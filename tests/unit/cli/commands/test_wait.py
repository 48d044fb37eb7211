from __future__ import annotations

import pytest

from solovirt.cli.commands.wait import lookup, reached, summary
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, status
from tests.unit.cli.conftest import Run

VMIS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances"
OBJ: JsonObject = {
    "status": {
        "phase": "Running",
        "ok": True,
        "interfaces": [{"ipAddress": "10.0.2.2"}],
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Paused", "status": "False"}],
    }
}


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("condition=Ready", True),
        ("condition=ready=true", True),
        ("condition=Paused", False),
        ("condition=Paused=False", True),
        ("condition=Absent", False),
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath='{.status.phase}'=Failed", False),
        ("jsonpath={.status.interfaces[0].ipAddress}=10.0.2.2", True),
        ("jsonpath={.status.ok}=true", True),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.nothing}", False),
        ("delete", False),
        ("create", True),
    ],
)
def test_goals(goal: str, expected: bool) -> None:
    assert reached(OBJ, goal) is expected


def test_gone() -> None:
    assert reached(None, "delete")
    assert not reached(None, "create")


@pytest.mark.parametrize("goal", ["", "condition", "condition=", "nonsense=1", "jsonpath={.a[*]}=1"])
def test_what_is_no_goal(goal: str) -> None:
    with pytest.raises(BadRequest):
        reached({"a": [1]}, goal)


@pytest.mark.parametrize(("path", "value"), [("{.a[1].b}", 2), ("a[5]", None), (".a.b", None), ("{}", "same")])
def test_lookup(path: str, value: Json) -> None:
    obj: JsonObject = {"a": [{}, {"b": 2}]}
    assert lookup(obj, path) == (obj if value == "same" else value)


def listed(*items: JsonObject) -> Answer:
    return Answer({"metadata": {"resourceVersion": "7"}, "items": list(items)})


def test_waits_for_it(api: FakeApi, run: Run) -> None:
    api.on("GET", VMIS, listed({"status": {"phase": "Pending"}}), Answer([{"type": "MODIFIED", "object": OBJ}]))
    result = run("wait", "vmi/a", "--for=condition=Ready")
    assert result.out == "virtualmachineinstance.kubevirt.io/a condition met\n"
    assert [r.query for r in api.requests] == [
        {"fieldSelector": "metadata.name=a"},
        {"fieldSelector": "metadata.name=a", "resourceVersion": "7", "watch": "true"},
    ]


def test_several_kinds_and_names(api: FakeApi, run: Run) -> None:
    api.on("GET", VMIS, listed(OBJ))
    api.on(
        "GET", VMIS.replace("instances", "s"), listed({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    )
    result = run("wait", "vm/b", "vmi/a", "--for=condition=Ready")
    assert result.out.splitlines() == [
        "virtualmachine.kubevirt.io/b condition met",
        "virtualmachineinstance.kubevirt.io/a condition met",
    ]


def test_a_wrong_goal_is_told_at_once(api: FakeApi, run: Run) -> None:
    assert "unrecognized condition" in run("wait", "vmi/a", "--for=Ready").err
    assert api.requests == []


def test_gives_up(api: FakeApi, run: Run) -> None:
    api.on("GET", VMIS, listed(OBJ))
    result = run("wait", "vmi", "a", "--for=condition=Paused", "--timeout=0")
    assert (result.code, "timed out waiting for the condition on virtualmachineinstances/a" in result.err) == (1, True)


def test_an_object_that_never_was(api: FakeApi, run: Run) -> None:
    api.on("GET", VMIS, listed())
    api.on("GET", VMIS + "/a", status(404, "NotFound", "no a"))
    assert run("wait", "vmi/a", "--for=condition=Ready").err == "Error from server (NotFound): no a\n"
    assert run("wait", "vmi/a", "--for=delete").out.endswith("deleted\n")


def test_summary() -> None:
    assert summary({"status": {"phase": "ImportInProgress", "progress": "5.0%"}}) == "ImportInProgress 5.0%"
    assert summary({}) == "no status yet"
