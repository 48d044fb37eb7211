from __future__ import annotations

import pytest

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

SUB = "/apis/subresources.kubevirt.io/v1/namespaces/default/"
VMS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"


def vm(status: str) -> JsonObject:
    return {"status": {"printableStatus": status}}


def listed(*items: JsonObject) -> Answer:
    return Answer({"metadata": {"resourceVersion": "7"}, "items": list(items)})


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (("start", "a"), "virtualmachines/a/start", {}),
        (("start", "a", "--paused"), "virtualmachines/a/start", {"paused": True}),
        (("stop", "a", "--dry-run"), "virtualmachines/a/stop", {"dryRun": ["All"]}),
        (("stop", "a", "--force", "--grace-period=0"), "virtualmachines/a/stop", {"gracePeriod": 0}),
        (("restart", "a", "--force", "--grace-period=0"), "virtualmachines/a/restart", {"gracePeriodSeconds": 0}),
        (("pause", "a"), "virtualmachineinstances/a/pause", {}),
        (("unpause", "vm", "a"), "virtualmachineinstances/a/unpause", {}),
    ],
)
def test_what_is_sent(api: FakeApi, run: Run, words: tuple[str, ...], path: str, body: JsonObject) -> None:
    api.on("PUT", SUB + path, Answer(None, 202))
    result = run(*words)
    assert result.code == 0, result.err
    assert f"a was scheduled to {words[0]}" in result.out
    assert api.requests[0].body == body


def test_force_and_grace_period_go_together(run: Run) -> None:
    assert "must both be given" in run("stop", "a", "--force").err
    assert "must both be given" in run("stop", "a", "--grace-period=1").err


def test_wait(api: FakeApi, run: Run) -> None:
    api.on("PUT", SUB + "virtualmachines/a/start", Answer(None, 202))
    api.on("GET", VMS, listed(vm("Stopped")), Answer([{"type": "MODIFIED", "object": vm("Running")}]))
    assert run("start", "a", "--wait").code == 0
    api.on("GET", VMS, lambda r: Answer([]) if "watch" in r.query else listed(vm("Stopped")))
    assert "is Stopped after 0.05 s, not Running" in run("start", "a", "--wait", "--timeout=50ms").err
    api.on("GET", VMS, listed())
    assert "was deleted" in run("start", "a", "--wait").err


def test_restart_waits_for_another_instance(api: FakeApi, run: Run) -> None:
    api.on("PUT", SUB + "virtualmachines/a/restart", Answer(None, 202))
    changes: list[Json] = [{"type": "MODIFIED", "object": vm(s)} for s in ("Stopping", "Running")]
    api.on("GET", VMS, listed(vm("Running")), Answer(changes))
    uids = [Answer({"metadata": {"uid": u}}) for u in ("old", "old", "new")]
    api.on("GET", VMS.replace("virtualmachines", "virtualmachineinstances") + "/a", *uids)
    assert run("restart", "a", "--wait").code == 0
    assert sum("instances" in r.path for r in api.requests) == 3
