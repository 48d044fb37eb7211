from __future__ import annotations

import json

import pytest

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/qmp"


def test_a_question(api: FakeApi, run: Run) -> None:
    api.on("POST", PATH, Answer({"return": {"running": True}}))
    result = run("qmp", "a", "query-status")
    assert json.loads(result.out) == {"running": True}
    assert api.requests[0].body == {"command": "query-status", "arguments": {}, "confirm": False}


def test_text_is_shown_as_text(api: FakeApi, run: Run) -> None:
    api.on("POST", PATH, Answer({"return": "VM status: running\r\n"}))
    words = ("human-monitor-command", '{"command-line": "info status"}')
    assert run("qmp", "a", *words).out == "VM status: running\n"


def test_a_command(api: FakeApi, run: Run) -> None:
    api.on("POST", PATH, Answer({"return": {}}))
    assert run("qmp", "a", "--yes", "device_del", '{"id": "x"}').out == "{}\n"
    assert api.requests[0].body == {"command": "device_del", "arguments": {"id": "x"}, "confirm": True}


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[]", "not a JSON object")])
def test_arguments_that_are_none(api: FakeApi, run: Run, text: str, message: str) -> None:
    assert message in run("qmp", "a", "x", text).err
    assert api.requests == []
