from __future__ import annotations

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/agent"


def test_raw_reply(api: FakeApi, run: Run) -> None:
    api.on("POST", PATH, Answer({"return": {"id": "debian"}}))
    assert run("agent", "a", "guest-get-osinfo").out == '{\n  "return": {\n    "id": "debian"\n  }\n}\n'
    run("agent", "a", "guest-file-open", '{"path": "/x"}')
    assert api.requests[1].body == {"command": "guest-file-open", "arguments": {"path": "/x"}, "timeoutSeconds": 10}
    run("agent", "a", "guest-fstrim", "--timeout", "2m")
    assert api.requests[2].body == {"command": "guest-fstrim", "arguments": {}, "timeoutSeconds": 120}


def test_arguments_must_be_an_object(run: Run) -> None:
    assert "are not JSON" in run("agent", "a", "guest-ping", "{").err
    assert "not a JSON object" in run("agent", "a", "guest-ping", "[]").err
