from __future__ import annotations

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/sendkeys"


def test_what_is_sent(api: FakeApi, run: Run) -> None:
    api.on("PUT", PATH, Answer(None))
    assert run("send-keys", "a", "ctrl-alt-delete").code == 0
    assert run("send-keys", "a", "esc", "f2", "--text", "ls -l\n", "--hold-time", "50").code == 0
    assert run("send-keys", "a", "--text", "x").code == 0
    assert [request.body for request in api.requests] == [
        {"keys": ["ctrl-alt-delete"], "text": "", "holdTime": 20},
        {"keys": ["esc", "f2"], "text": "ls -l\n", "holdTime": 50},
        {"keys": [], "text": "x", "holdTime": 20},
    ]


def test_nothing(api: FakeApi, run: Run) -> None:
    assert "nothing to press" in run("send-keys", "a").err
    assert api.requests == []
