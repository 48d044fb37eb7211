from __future__ import annotations

import json

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, Request, status
from tests.unit.cli.conftest import Run

VMS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"


def table(*names: str, revision: str = "7", more: str = "") -> JsonObject:
    rows: list[Json] = [
        {"cells": [n, "1m"], "object": {"metadata": {"name": n, "namespace": "default"}}} for n in names
    ]
    columns: list[Json] = [{"name": "Name"}, {"name": "Age"}]
    meta: JsonObject = {"resourceVersion": revision, "continue": more}
    return {"kind": "Table", "metadata": meta, "columnDefinitions": columns, "rows": rows}


def test_a_list_is_one_request(api: FakeApi, run: Run) -> None:
    api.on("GET", VMS, Answer(table("a", "b")))
    result = run("get", "vm", "-l", "app=x", "--field-selector", "metadata.name=a")
    assert result.out == "NAME   AGE\na      1m\nb      1m\n"
    (request,) = api.requests
    assert request.query == {"limit": "500", "labelSelector": "app=x", "fieldSelector": "metadata.name=a"}
    assert "as=Table" in request.headers["accept"]


def test_pages_become_one_table(api: FakeApi, run: Run) -> None:
    api.on("GET", VMS, Answer(table("a", more="t")), Answer(table("b")))
    assert run("get", "vm").out.split() == ["NAME", "AGE", "a", "1m", "b", "1m"]
    assert api.requests[1].query["continue"] == "t"


def test_names_namespaces_and_nothing(api: FakeApi, run: Run) -> None:
    api.on("GET", "/apis/kubevirt.io/v1/virtualmachines", Answer(table("a")))
    assert run("get", "vm", "-A").out.startswith("NAMESPACE   NAME")
    api.on("GET", VMS, Answer(table()))
    assert run("get", "vm").err == "No resources found in default namespace.\n"
    api.on("GET", VMS + "/a", Answer(table("a")))
    assert run("get", "vm/a", "--no-headers").out == "a   1m\n"


def test_ignore_not_found(api: FakeApi, run: Run) -> None:
    api.on("GET", VMS + "/x", status(404, "NotFound", "x not found"))
    result = run("get", "vm", "x", "--ignore-not-found")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert run("get", "vm", "x", "--ignore-not-found", "-o", "yaml").code == 0


def test_several_kinds(api: FakeApi, run: Run) -> None:
    api.on("GET", VMS, Answer(table("a")))
    api.on("GET", VMS + "instances".replace("s", "s"), Answer({}))
    api.on("GET", "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances", Answer(table("b")))
    out = run("get", "vm,vmi").out
    assert "virtualmachine.kubevirt.io/a" in out
    assert "virtualmachineinstance.kubevirt.io/b" in out


def test_whole_objects(api: FakeApi, run: Run) -> None:
    api.on(
        "GET", VMS + "/a", Answer({"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "a"}})
    )
    assert (
        run("get", "vm", "a", "-o", "yaml").out
        == "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  name: a\n"
    )
    assert run("get", "vm", "a", "-o", "name").out == "virtualmachine.kubevirt.io/a\n"
    api.on("GET", VMS, Answer({"items": [{"metadata": {"name": "a"}}]}))
    listing = json.loads(run("get", "vm", "-o", "json").out)
    assert (listing["kind"], listing["items"][0]["kind"]) == ("List", "VirtualMachine")


def test_watch_goes_on_from_the_list(api: FakeApi, run: Run) -> None:
    def answer(request: Request) -> Answer:
        if request.query.get("watch"):
            return Answer([{"type": "MODIFIED", "object": table("b")}, {"type": "BOOKMARK", "object": {}}])
        return Answer(table("a"))

    api.on("GET", VMS, answer)
    assert run("get", "vm", "-w").out == "NAME   AGE\na      1m\nb      1m\n"
    assert api.requests[-1].query["resourceVersion"] == "7"


def test_watch_of_whole_objects(api: FakeApi, run: Run) -> None:
    api.on("GET", VMS, Answer([{"type": "ADDED", "object": {"kind": "VirtualMachine", "metadata": {"name": "a"}}}]))
    assert run("get", "vm", "-w", "-o", "yaml").out == "---\nkind: VirtualMachine\nmetadata:\n  name: a\n"
    assert run("get", "vm", "-w", "-o", "name").out == "virtualmachine.kubevirt.io/a\n"


def test_one_kind_at_a_time_in_a_watch(run: Run) -> None:
    assert "one kind at a time" in run("get", "vm,vmi", "-w").err
