from __future__ import annotations

from collections.abc import Callable

import pytest

from solovirt.cli import watching
from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, Request, status
from tests.unit.cli.commands.test_get import VMS, table
from tests.unit.cli.conftest import Run

END = status(403, "Forbidden", "enough")
"""Ends what otherwise goes on for ever."""


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE", 0.01)


def row(name: str, revision: str) -> JsonObject:
    found = table(name, revision="")
    rows: list[Json] = [{"cells": [name, "2m"], "object": {"metadata": {"resourceVersion": revision}}}]
    return {**found, "rows": rows}


def serving(*watches: Answer, listed: JsonObject) -> Callable[[Request], Answer]:
    left = list(watches)
    return lambda request: left.pop(0) if request.query.get("watch") else Answer(listed)


def test_goes_on_from_the_list_and_from_where_a_watch_ended(api: FakeApi, run: Run) -> None:
    bookmark: JsonObject = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}
    first = Answer([{"type": "MODIFIED", "object": row("b", "8")}])
    api.on("GET", VMS, serving(first, Answer([bookmark]), END, listed=table("a")))
    result = run("get", "vm", "-w")
    assert result.out == "NAME   AGE\na      1m\nb      2m\n"
    assert [r.query["resourceVersion"] for r in api.requests[1:]] == ["7", "8", "9"]
    assert (result.code, "enough" in result.err) == (1, True)


def test_an_expired_version_lists_again(api: FakeApi, run: Run) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
    api.on("GET", VMS, serving(Answer([gone]), END, listed=table("a")))  # type: ignore[list-item]
    assert run("get", "vm", "-w").out == "NAME   AGE\na      1m\na      1m\n"


def test_whole_objects(api: FakeApi, run: Run) -> None:
    event: JsonObject = {"type": "ADDED", "object": {"kind": "VirtualMachine", "metadata": {"name": "a"}}}
    for form, expected in (
        ("yaml", "---\nkind: VirtualMachine\nmetadata:\n  name: a\n"),
        ("name", "virtualmachine.kubevirt.io/a\n"),
    ):
        api.on("GET", VMS, serving(Answer([event]), END, listed={}))
        assert run("get", "vm", "-w", "-o", form).out == expected


def test_a_name_that_is_not_there(api: FakeApi, run: Run) -> None:
    api.on("GET", VMS + "/a", status(404, "NotFound", "no a"))
    assert run("get", "vm", "a", "-w").err == "Error from server (NotFound): no a\n"
    assert len(api.requests) == 1
