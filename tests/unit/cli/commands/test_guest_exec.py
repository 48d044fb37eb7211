from __future__ import annotations

import base64
import io
import sys

import pytest

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/exec"
ID = "0123456789abcdef"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_output_comes_in_pieces_and_then_the_exit_code(api: FakeApi, run: Run) -> None:
    lines = [{"id": ID}, {"stdout": b64("o")}, {"stderr": b64("err\n")}, {"stdout": b64("ut\n")}, {"exitCode": 3}]
    api.on("POST", f"{PATH}/stream", Answer([*lines]))
    result = run("exec", "a", "--env", "K=V", "--timeout=5s", "--", "ls", "-l", "--", "x")
    assert (result.code, result.out, result.err) == (3, "out\n", "err\n")
    assert api.requests[0].body == {"command": ["ls", "-l", "--", "x"], "timeoutSeconds": 5.0, "env": ["K=V"]}


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [
        ({"exitCode": 143, "timedOut": True}, 124, "the time is over"),
        ({"detached": ID}, 1, f"solovirt exec --attach {ID} a"),
        ({"error": {"message": "the agent hung up", "reason": "AgentNotConnected"}}, 1, f"--attach {ID} a"),
        ({"stdout": ""}, 1, f"the answer has no end\n  solovirt exec --attach {ID} a"),
    ],
)
def test_other_ends(api: FakeApi, run: Run, last: dict[str, object], code: int, said: str) -> None:
    api.on("POST", f"{PATH}/stream", Answer([{"id": ID}, last]))  # type: ignore[list-item]
    result = run("exec", "a", "--", "x")
    assert result.code == code
    assert said in result.err


def test_control_c_of_an_attached_one_leaves_it(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("solovirt.cli.client.Client.stream", interrupted)
    left = run("exec", "a", "--attach", ID)
    ended = run("exec", "a", "--", "x")
    assert (left.code, ended.code) == (130, 130)
    assert "it goes on in the guest" in left.err
    assert ended.err == ""


def test_attach_asks_for_that_program(api: FakeApi, run: Run) -> None:
    api.on("GET", f"{PATH}/stream", Answer([{"id": ID}, {"stdoutTruncated": True}, {"exitCode": 0}]))
    result = run("exec", "--attach", ID, "a")
    assert result.code == 0
    assert "stdout was cut" in result.err
    assert api.requests[0].query == {"id": ID}


def test_detach_prints_the_id(api: FakeApi, run: Run) -> None:
    api.on("POST", f"{PATH}/stream", Answer({"id": ID}))
    assert run("exec", "--detach", "a", "--", "sleep", "9").out == f"{ID}\n"
    assert api.requests[0].query == {"detach": "true"}


def test_a_list(api: FakeApi, run: Run) -> None:
    rows = [
        {"id": ID, "state": "exited", "exitCode": 4, "startedAt": "2026", "command": ["echo", "\x1b[2J"]},
        {"id": "f" * 16, "state": "running", "startedAt": "2027", "command": ["sleep"]},
    ]
    api.on("GET", PATH, Answer({"items": rows}))  # type: ignore[dict-item]
    lines = run("exec", "--ls", "a").out.splitlines()
    assert [line.split() for line in lines] == [
        ["ID", "STATE", "STARTED", "COMMAND"],
        [ID, "exited", "4", "2026", "echo", "[2J"],
        ["f" * 16, "running", "2027", "sleep"],
    ]


def test_kill_and_signal(api: FakeApi, run: Run) -> None:
    api.on("DELETE", PATH, Answer())
    assert run("exec", "--kill", ID, "a").code == 0
    assert run("exec", "--kill", ID, "--signal", "USR1", "a").code == 0
    assert [request.query for request in api.requests] == [{"id": ID}, {"id": ID, "signal": "USR1"}]


def test_no_stream_is_one_request(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    api.on("POST", PATH, Answer({"signal": 9, "stdout": b64("x"), "stderr": "", "stdoutTruncated": True}))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"in")))
    result = run("exec", "--no-stream", "-i", "a", "--", "sleep")
    assert result.code == 137
    assert "stdout was cut" in result.err
    assert api.requests[0].body == {"command": ["sleep"], "timeoutSeconds": 60.0, "input": b64("in")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a"], "no command was given"),
        (["a", "--ls", "--", "x"], "take no command"),
        (["a", "--signal", "INT", "--", "x"], "--signal goes with --kill"),
        (["a", "--detach", "--timeout", "3s", "--", "x"], "nobody is there to see"),
        (["a", "--detach", "--no-stream", "--", "x"], "exclude each other"),
    ],
)
def test_wrong_calls(run: Run, words: list[str], said: str) -> None:
    result = run("exec", *words)
    assert result.code == 1
    assert said in result.err
