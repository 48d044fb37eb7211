from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from solovirt.cli import follow
from solovirt.cli.client import ApiError, Client
from solovirt.cli.endpoint import Endpoint
from solovirt.cli.kinds import VM
from solovirt.kit.errors import Unavailable
from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, status

VMS = "/apis/kubevirt.io/v1/namespaces/n/virtualmachines"
GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PAUSE", 0.01)
    monkeypatch.setattr(follow, "PATIENCE", 0.1)


def listed(*items: JsonObject, version: str = "1") -> Answer:
    return Answer({"metadata": {"resourceVersion": version}, "items": list(items)})


def states(api: FakeApi, seconds: float | None = 5) -> Iterator[JsonObject | None]:
    client = Client(Endpoint(unix=str(api.socket)))
    return follow.states(client, VM, "n", "a", deadline=None if seconds is None else time.monotonic() + seconds)


def test_now_and_after_each_change(api: FakeApi) -> None:
    events = Answer([{"type": "ADDED", "object": {"a": 1}}, {"type": "DELETED", "object": {"a": 1}}])
    api.on("GET", VMS, listed(), events)
    found = states(api)
    assert [next(found) for _ in range(3)] == [None, {"a": 1}, None]
    assert api.requests[1].query["resourceVersion"] == "1"


def test_a_watch_that_ends_or_expires_begins_again(api: FakeApi) -> None:
    api.on("GET", VMS, listed({"a": 1}), Answer([]), listed({"a": 2}), Answer([GONE]), listed({"a": 3}))  # type: ignore[list-item]
    found = states(api)
    assert [next(found) for _ in range(3)] == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_ends_at_the_deadline(api: FakeApi) -> None:
    api.on("GET", VMS, lambda r: Answer([]) if "watch" in r.query else listed({"a": 1}))
    began = time.monotonic()
    assert {str(s) for s in states(api, 0.1)} == {"{'a': 1}"}
    assert 0.1 <= time.monotonic() - began < 30
    assert list(states(api, 0)) == [{"a": 1}], "no time to wait is one look"


def test_a_server_that_was_never_there(tmp_path: object) -> None:
    with pytest.raises(Unavailable):
        next(follow.states(Client(Endpoint(unix=f"{tmp_path}/none")), VM, "n", "a"))


def test_a_server_that_stays_away(api: FakeApi) -> None:
    api.on("GET", VMS, listed({"a": 1}))
    found = states(api, None)
    next(found)
    api.socket.unlink()
    with pytest.raises(Unavailable):
        list(found)


def test_refusals_end_it(api: FakeApi) -> None:
    api.on("GET", VMS, status(403, "Forbidden", "no"))
    with pytest.raises(ApiError, match="no"):
        next(states(api))


def seen(generation: int, observed: int, restart: str | None) -> JsonObject:
    conditions: list[Json] = [] if restart is None else [{"type": "RestartRequired", "status": restart}]
    return {
        "metadata": {"generation": generation},
        "status": {"desiredGeneration": observed, "conditions": conditions},
    }


@pytest.mark.parametrize(("restart", "waits"), [("True", True), ("False", False), (None, False)])
def test_a_change_that_waits_for_a_restart(api: FakeApi, restart: str | None, waits: bool) -> None:
    """What the condition said before the controller saw the newest spec does not count."""
    newest = seen(3, 3, restart)
    events = Answer([{"type": "MODIFIED", "object": newest}])
    api.on("GET", VMS, listed(seen(3, 2, "False" if waits else "True")), events)
    client = Client(Endpoint(unix=str(api.socket)))
    found = follow.waits_for_restart(client, "n", "a", deadline=time.monotonic() + 5)
    assert found == (newest if waits else None)


def test_nothing_waits_where_there_is_no_vm_or_no_answer_in_time(api: FakeApi) -> None:
    client = Client(Endpoint(unix=str(api.socket)))
    api.on("GET", VMS, listed())
    assert follow.waits_for_restart(client, "n", "a", deadline=time.monotonic() + 5) is None
    api.on("GET", VMS, listed(seen(3, 2, "True")))
    assert follow.waits_for_restart(client, "n", "a", deadline=time.monotonic()) is None
