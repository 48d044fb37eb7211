from __future__ import annotations

import base64

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/exec"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_streams_and_exit_code(api: FakeApi, run: Run) -> None:
    api.on("POST", PATH, Answer({"exitCode": 3, "stdout": b64("out\n"), "stderr": b64("err\n")}))
    result = run("exec", "a", "--env", "K=V", "--timeout=5s", "--", "ls", "-l", "--", "x")
    assert (result.code, result.out, result.err) == (3, "out\n", "err\n")
    assert api.requests[0].body == {"command": ["ls", "-l", "--", "x"], "timeoutSeconds": 5.0, "env": ["K=V"]}


def test_signals_and_cut_output(api: FakeApi, run: Run) -> None:
    api.on("POST", PATH, Answer({"signal": 9, "stdout": b64("x"), "stderr": "", "stdoutTruncated": True}))
    result = run("exec", "a", "--", "sleep")
    assert result.code == 137
    assert "stdout was cut" in result.err


def test_a_command_is_needed(run: Run) -> None:
    assert "no command was given" in run("exec", "a").err
