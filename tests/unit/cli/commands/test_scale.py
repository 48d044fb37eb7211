from __future__ import annotations

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

SETS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancereplicasets"
POOLS = "/apis/pool.kubevirt.io/v1beta1/namespaces/default/virtualmachinepools"


def scale(replicas: int) -> Answer:
    return Answer({"metadata": {"resourceVersion": "7"}, "spec": {"replicas": replicas}})


def test_scale(api: FakeApi, run: Run) -> None:
    api.on("PATCH", f"{SETS}/web/scale", scale(3))
    result = run("scale", "vmirs", "web", "--replicas=3")
    assert (result.code, result.out) == (0, "virtualmachineinstancereplicaset.kubevirt.io/web scaled\n")
    [request] = api.requests
    assert request.body == {"spec": {"replicas": 3}}
    assert request.headers["content-type"] == "application/merge-patch+json"


def test_several_and_dry(api: FakeApi, run: Run) -> None:
    for name in ("a", "b"):
        api.on("PATCH", f"{POOLS}/{name}/scale", scale(0))
    result = run("scale", "vmpool/a", "vmpool/b", "--replicas=0", "--dry-run=server")
    assert result.out.count("scaled (server dry run)") == 2
    assert all(request.query == {"dryRun": "All"} for request in api.requests)


def test_only_if_so_many_are_wanted(api: FakeApi, run: Run) -> None:
    api.on("GET", f"{POOLS}/a/scale", scale(2))
    api.on("PATCH", f"{POOLS}/a/scale", scale(3))
    result = run("scale", "vmpool", "a", "--replicas=3", "--current-replicas=1")
    assert result.code == 1 and "expected replicas to be 1, was 2" in result.err
    assert run("scale", "vmpool", "a", "--replicas=3", "--current-replicas=2").code == 0
    assert api.requests[-1].body == {"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 3}}


def test_what_cannot_be_scaled(api: FakeApi, run: Run) -> None:
    path = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines/a/scale"
    api.on("PATCH", path, Answer(b"404 page not found\n", 404))
    assert "cannot scale a virtualmachine" in run("scale", "vm", "a", "--replicas=2").err
    assert "no name was given" in run("scale", "vmirs", "--replicas=2").err
    assert "greater than or equal to 0" in run("scale", "vmirs", "a", "--replicas=-1").err
    result = run("scale", "vmirs", "nosuch", "--replicas=1")
    assert result.code == 1 and "not found" in result.err
