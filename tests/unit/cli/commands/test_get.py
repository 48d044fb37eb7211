from __future__ import annotations

import json

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, status
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


def test_one_kind_at_a_time_in_a_watch(run: Run) -> None:
    assert "one kind, or one object, at a time" in run("get", "vm,vmi", "-w").err
    assert "one kind, or one object, at a time" in run("get", "vm", "a", "b", "-w").err


def test_the_missing_do_not_hide_the_others(api: FakeApi, run: Run) -> None:
    api.on("GET", VMS + "/a", Answer(table("a")))
    api.on("GET", VMS + "/long", Answer(table("longer")))
    api.on("GET", VMS + "/x", status(404, "NotFound", "x not found"))
    result = run("get", "vm", "x", "a", "long")
    assert result.out == "NAME     AGE\na        1m\nlonger   1m\n"
    assert (result.code, result.err) == (1, "Error from server (NotFound): x not found\n")


def test_names_and_selectors_exclude_each_other(run: Run) -> None:
    assert "selectors choose from all" in run("get", "vm", "a", "-l", "x=y").err


def test_objects_of_several_kinds(api: FakeApi, run: Run) -> None:
    api.on("GET", VMS + "/a", Answer(table("a")))
    api.on("GET", VMS.replace("machines", "machineinstances") + "/b", Answer(table("b")))
    assert run("get", "vm/a", "vmi/b", "--no-headers").out == (
        "virtualmachine.kubevirt.io/a   1m\n\nvirtualmachineinstance.kubevirt.io/b   1m\n"
    )
