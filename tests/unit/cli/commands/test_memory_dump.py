from __future__ import annotations

import os
from pathlib import Path

import pytest

from solovirt.kit import frames
from solovirt.kit.errors import Unavailable
from solovirt.kit.jsontypes import JsonObject
from tests.support.apiserver import Answer, FakeApi, status
from tests.unit.cli.conftest import Run

VM = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/a"
VMS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
DUMP = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/memorydump"


def vm(**request: str) -> JsonObject:
    return {"status": {"memoryDumpRequest": dict(request)}}


def listed(item: JsonObject) -> Answer:
    return Answer({"metadata": {"resourceVersion": "7"}, "items": [item]})


def test_a_file(api: FakeApi, run: Run, tmp_path: Path) -> None:
    api.on("GET", DUMP, Answer(b"\x7fELF", headers={"x-solovirt-memory": "4"}))
    target = tmp_path / "a.elf"
    result = run("memory-dump", "a", "-f", str(target), "--format", "kdump-zlib")
    assert result.code == 0 and "the memory of a is in" in result.err
    assert target.read_bytes() == b"\x7fELF" and target.stat().st_mode & 0o777 == 0o600
    assert api.requests[0].query == {"format": "kdump-zlib"}


def test_what_breaks_off_leaves_nothing(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object) -> object:
        yield b"half"
        raise Unavailable("the server closed the connection in the middle of an answer")

    api.on("GET", DUMP, Answer(b"half", headers={"x-solovirt-memory": "9"}))
    monkeypatch.setattr("solovirt.cli.http.Response.chunks", broken)
    result = run("memory-dump", "a", "-f", str(tmp_path / "a.elf"))
    assert result.code == 1 and "the dump broke off" in result.err and "solovirt events --for vmi/a" in result.err
    assert os.listdir(tmp_path) == []


def test_what_breaks_off_says_why(api: FakeApi, run: Run, tmp_path: Path) -> None:
    said = b'{"status": "Failure", "reason": "DumpFailed", "message": "QEMU ended", "code": 500}'
    body = frames.frame(b"half") + frames.last_word(said)
    api.on("GET", DUMP, Answer(body, headers={"content-type": frames.MEDIA_TYPE}))
    result = run("memory-dump", "a", "-f", str(tmp_path / "a.elf"))
    assert (result.code, result.err.splitlines()[-1]) == (1, "Error from server (DumpFailed): QEMU ended")
    assert os.listdir(tmp_path) == []


def test_into_a_claim(api: FakeApi, run: Run) -> None:
    api.on("PUT", f"{VM}/memorydump", Answer(None, 202))
    api.on("PUT", f"{VM}/removememorydump", Answer(None, 202))
    assert "Successfully submitted" in run("memory-dump", "get", "a", "--claim-name=dumps").out
    assert run("memory-dump", "remove", "a").code == 0
    assert [request.body for request in api.requests] == [{"claimName": "dumps"}, {}]
    api.on("PUT", f"{VM}/memorydump", status(409, "Conflict", "pvc should be filesystem pvc"))
    assert "filesystem pvc" in run("memory-dump", "get", "a", "--claim-name=dumps").err


def test_waiting(api: FakeApi, run: Run) -> None:
    api.on("PUT", f"{VM}/memorydump", Answer(None, 202))
    done = vm(phase="Completed", fileName="a.memory.dump", claimName="dumps")
    api.on("GET", VMS, listed(vm(phase="InProgress")), Answer([{"type": "MODIFIED", "object": done}]))
    assert "Memory dump completed: a.memory.dump in claim dumps" in run("memory-dump", "get", "a", "--wait").out
    api.on("GET", VMS, listed(vm(phase="Failed", message="disk on fire")))
    assert "disk on fire" in run("memory-dump", "get", "a", "--wait").err


@pytest.mark.parametrize(
    "words",
    [
        ("a",),
        ("a", "b", "c"),
        ("put", "a"),
        ("get", "a", "-f", "x"),
        ("remove", "a", "--claim-name=x"),
        ("a", "-f", "x", "--claim-name=y"),
    ],
)
def test_wrong_calls(api: FakeApi, run: Run, words: tuple[str, ...]) -> None:
    assert run("memory-dump", *words).code == 1
    assert api.requests == []
