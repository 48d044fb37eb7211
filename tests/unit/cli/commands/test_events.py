"""``events`` as kubectl shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from solovirt.cli import watching
from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, Request, status
from tests.unit.cli.conftest import Run

EVENTS = "/api/v1/namespaces/default/events"
END = status(403, "Forbidden", "enough")


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE", 0.01)


def ago(seconds: int) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(name: str, seconds: int, kind: str = "Normal", **more: Json) -> JsonObject:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "VirtualMachine", "name": "web"},
        "type": kind,
        "reason": "Started",
        "message": f"about {name}",
        "firstTimestamp": ago(seconds),
        "lastTimestamp": ago(seconds),
        "count": 1,
        **more,
    }


def listed(*events: Json) -> JsonObject:
    return {"items": list(events), "metadata": {"resourceVersion": "7"}}


def test_oldest_first_with_kubectls_columns(api: FakeApi, run: Run) -> None:
    repeated = event("new", 3, count=5, firstTimestamp=ago(600), message="two\nlines\x1b[2J ")
    created: JsonObject = {"name": "bare", "namespace": "default", "creationTimestamp": ago(7200)}
    bare: JsonObject = {"metadata": created, "type": "Warning"}
    api.on("GET", EVENTS, Answer(listed(repeated, event("old", 3600), bare)))
    lines = run("events").out.splitlines()
    assert lines[0].split("   ")[0] == "LAST SEEN"
    assert lines[0].split()[2:] == ["TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert [line.split()[0] for line in lines[1:]] == ["120m", "60m", "3s"]
    assert lines[2].endswith("VirtualMachine/web   about old")
    assert lines[3].startswith("3s (x5 over 10m)")
    assert lines[3].endswith("two lines [2J")


def test_types(api: FakeApi, run: Run) -> None:
    api.on("GET", EVENTS, Answer(listed(event("good", 2), event("bad", 1, "Warning"))))
    assert "about good" not in (warnings := run("events", "--types", "warning").out)
    assert "about bad" in warnings
    assert run("events", "--types=Normal,Warning").out.count("about") == 2
    result = run("events", "--types", "Odd")
    assert (result.code, "neither" in result.err) == (1, True)


def test_about_one_object(api: FakeApi, run: Run) -> None:
    api.on("GET", EVENTS, Answer(listed()))
    result = run("events", "--for", "vm/web")
    assert api.requests[-1].query == {"fieldSelector": "involvedObject.kind=VirtualMachine,involvedObject.name=web"}
    assert (result.code, "No events found in default namespace." in result.err) == (0, True)
    for wrong in ("web", "vm/", "/web", "vm/a/b"):
        assert run("events", "--for", wrong).code == 1


def test_all_namespaces_and_wide(api: FakeApi, run: Run) -> None:
    api.on("GET", "/api/v1/events", Answer(listed(event("one", 2, source={"component": "solovirt"}))))
    head, row = run("events", "-A", "-o", "wide").out.splitlines()
    assert head.split()[0] == "NAMESPACE"
    assert head.endswith("SOURCE     FIRST SEEN   COUNT   NAME   MESSAGE")
    assert row.split()[-6:] == ["solovirt", "2s", "1", "one", "about", "one"]


def test_whole_ones(api: FakeApi, run: Run) -> None:
    api.on("GET", EVENTS, Answer(listed(event("b", 1), event("a", 2))))
    assert run("events", "-o", "name").out == "event/a\nevent/b\n"
    assert '"kind": "List"' in run("events", "-o", "json").out
    assert "kind: Event" in run("events", "-o", "yaml").out


def test_watching_goes_on_from_the_list(api: FakeApi, run: Run) -> None:
    changes: list[Json] = [
        {"type": "ADDED", "object": {**event("second", 1), "metadata": {"name": "second", "resourceVersion": "8"}}},
        {"type": "DELETED", "object": event("first", 9)},
        {"type": "ADDED", "object": event("warned", 0, "Warning")},
    ]
    watches = [Answer(changes), END]

    def serve(request: Request) -> Answer:
        return watches.pop(0) if request.query.get("watch") else Answer(listed(event("first", 9)))

    api.on("GET", EVENTS, serve)
    result = run("events", "-w", "--types", "Normal", "--no-headers")
    assert [line.split()[-1] for line in result.out.splitlines()] == ["first", "second"]
    assert [request.query["resourceVersion"] for request in api.requests[1:]] == ["7", "8"]


def test_an_expired_watch_goes_on_from_now(api: FakeApi, run: Run) -> None:
    gone: Json = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    watches = [Answer([gone]), END]

    def serve(request: Request) -> Answer:
        if request.query.get("watch"):
            return watches.pop(0)
        return Answer({"items": [], "metadata": {"resourceVersion": "90"}} if "limit" in request.query else listed())

    api.on("GET", EVENTS, serve)
    run("events", "-w")
    assert api.requests[-1].query["resourceVersion"] == "90"
