from __future__ import annotations

from pathlib import Path

from solovirt.kit.jsontypes import JsonObject
from tests.support.apiserver import Answer, FakeApi, status
from tests.unit.cli.conftest import Run

VMS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
GONE: JsonObject = {"items": []}


def listed(*items: JsonObject) -> Answer:
    return Answer({"metadata": {"resourceVersion": "7"}, "items": list(items)})


def test_waits_until_it_is_gone(api: FakeApi, run: Run) -> None:
    api.on("DELETE", VMS + "/a", Answer({}))
    api.on("GET", VMS, listed({"metadata": {"uid": "1"}}), Answer([{"type": "DELETED", "object": {}}]))
    assert run("delete", "vm", "a").out == 'virtualmachine.kubevirt.io "a" deleted\n'
    assert [r.method for r in api.requests] == ["DELETE", "GET", "GET"]
    assert api.requests[2].query["watch"] == "true"
    assert api.requests[0].body == {"propagationPolicy": "Background"}


def test_a_successor_of_the_same_name_is_another_object(api: FakeApi, run: Run) -> None:
    api.on("DELETE", VMS + "/a", Answer({}))
    api.on(
        "GET",
        VMS,
        listed({"metadata": {"uid": "1"}}),
        Answer([{"type": "ADDED", "object": {"metadata": {"uid": "2"}}}]),
    )
    assert run("delete", "vm", "a", "--timeout=10s").code == 0


def test_force_and_no_wait(api: FakeApi, run: Run) -> None:
    api.on("DELETE", VMS + "/a", Answer({}))
    run("delete", "vm/a", "--force", "--wait=false", "--cascade=orphan")
    (request,) = api.requests
    assert request.body == {"propagationPolicy": "Orphan", "gracePeriodSeconds": 0}


def test_by_manifest_last_first(api: FakeApi, run: Run, tmp_path: Path) -> None:
    one = "apiVersion: v1\nkind: Secret\nmetadata: {name: NAME, namespace: ns}\n"
    (tmp_path / "x.yaml").write_text(one.replace("NAME", "a") + "---\n" + one.replace("NAME", "b"))
    for name in "ab":
        api.on("DELETE", f"/api/v1/namespaces/ns/secrets/{name}", Answer({}))
    api.on("GET", "/api/v1/namespaces/ns/secrets", Answer(GONE))
    assert run("delete", "-f", str(tmp_path / "x.yaml")).out == 'secret "b" deleted\nsecret "a" deleted\n'


def test_all_and_selector(api: FakeApi, run: Run) -> None:
    items = {"items": [{"metadata": {"name": "a", "namespace": "default"}}]}
    api.on("GET", VMS, Answer(items))  # type: ignore[arg-type]
    api.on("DELETE", VMS + "/a", Answer({}))
    assert run("delete", "vm", "-l", "x=y", "--wait=false", "--dry-run=server").out.endswith("(server dry run)\n")
    assert api.requests[0].query == {"labelSelector": "x=y"}


def test_what_to_delete_must_be_said(run: Run) -> None:
    assert "no name was specified" in run("delete", "vm").err
    assert "nothing to delete" in run("delete").err
    assert "not both" in run("delete", "vm", "a", "--all").err
    assert "not both" in run("delete", "vm", "a", "-f", "x").err


def test_missing_ones(api: FakeApi, run: Run) -> None:
    api.on("DELETE", VMS + "/a", status(404, "NotFound", "a not found"))
    assert run("delete", "vm", "a").code == 1
    assert run("delete", "vm", "a", "--ignore-not-found").code == 0


def test_a_timeout_is_told(api: FakeApi, run: Run) -> None:
    api.on("DELETE", VMS + "/a", Answer({}))
    api.on("GET", VMS, lambda r: Answer([]) if "watch" in r.query else listed({"metadata": {"uid": "1"}}))
    assert "timed out" in run("delete", "vm", "a", "--timeout=50ms").err
