from __future__ import annotations

from solovirt.cli.commands.describe import heading, lines
from solovirt.cli.kinds import KNOWN, VM
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

PATH = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"


def test_headings() -> None:
    assert heading("terminationGracePeriodSeconds") == "Termination Grace Period Seconds"
    assert heading("guestOSInfo") == "Guest OSInfo"


def test_fields_and_events(api: FakeApi, run: Run) -> None:
    labels = {"app": "x"}
    spec = {"list": [{"b": 1}, {"c": [1, 2]}], "text": "one\ntwo\x1b[31m"}
    obj = {"metadata": {"name": "a", "namespace": "default", "uid": "u", "labels": labels}, "spec": spec}
    api.on("GET", PATH + "/a", Answer(obj))  # type: ignore[arg-type]
    event = {"type": "Warning", "reason": "Failed", "message": "no\x1b disk", "count": 3, "lastTimestamp": "t"}
    api.on("GET", "/api/v1/namespaces/default/events", Answer({"items": [event]}))  # type: ignore[dict-item]
    out = run("describe", "vm", "a").out
    assert out.splitlines()[:3] == ["Name:        a", "Namespace:   default", "Labels:      app=x"]
    assert "  List:\n    B: 1\n    C: 1, 2\n  Text:\n    one\n    two [31m" in out
    assert "Warning   Failed   t           3       no  disk" in out
    assert [request.query["fieldSelector"] for request in api.requests[-2:]] == [
        "involvedObject.name=a,involvedObject.uid=u",
        "involvedObject.name=a,involvedObject.kind=VirtualMachineInstance",
    ]


def test_secrets_show_sizes_only() -> None:
    secret = next(k for k in KNOWN if k.kind == "Secret")
    text = "\n".join(lines({"metadata": {"name": "s"}, "data": {"password": "c2VjcmV0"}}, secret))
    assert "c2VjcmV0" not in text
    assert "Password: 6 bytes" in text


def test_nothing_there(api: FakeApi, run: Run) -> None:
    api.on("GET", PATH, Answer({"items": []}))
    assert "no virtualmachines to describe" in run("describe", "vm").err
    assert lines({"metadata": {"name": "x"}}, VM)[2] == "Labels:      <none>"
