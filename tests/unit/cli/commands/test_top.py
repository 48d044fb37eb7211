"""``top`` against a server with canned figures."""

from __future__ import annotations

import json

import pytest

from solovirt.cli.commands import top
from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, status
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_rates import answer, item, process

FIGURES = "/apis/subresources.solovirt.io/v1/namespaces/default/figures"
VMIS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances"
HEADER = ["NAME", "CPU%", "MEMORY", "GUEST", "BALLOON", "READ/s", "WRITE/s", "RIOPS", "WIOPS", "RX/s", "TX/s", "UPTIME"]
END = status(403, "Forbidden", "enough")


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "ONCE", 0.01)
    monkeypatch.setattr(top, "SHORTEST", 0.01)


def pair(name: str = "web", resident: int = 4096) -> tuple[JsonObject, JsonObject]:
    disks: list[Json] = [{"name": "root", "readBytes": 0, "writeBytes": 0, "reads": 0, "writes": 0}]
    later: list[Json] = [{"name": "root", "readBytes": 3 << 20, "writeBytes": 512, "reads": 7, "writes": 1}]
    before = item(name, process=process(1.0), disks=disks, vcpus=[{"index": 0, "seconds": 1, "delay": 0}])
    after = item(
        name,
        at=11.0,
        process=process(2.0, resident),
        disks=later,
        vcpus=[{"index": 0, "seconds": 1.5, "delay": 0.1}],
        memory={"domain": 1 << 28, "balloon": 1 << 28, "guest": {"total": 200 << 20, "available": 100 << 20}},
    )
    return before, after


def test_one_measurement(api: FakeApi, run: Run) -> None:
    before, after = pair()
    api.on("GET", FIGURES, Answer(answer(before)), Answer(answer(after)))
    result = run("top", "--once")
    head, row = result.out.splitlines()
    assert head.split() == HEADER
    assert row.split() == ["web", "25.0", "4.0Ki", "100Mi", "256Mi", "3.0Mi", "512", "7", "1", "-", "-", "1m00s"]
    assert len(head) == len(row)


def test_wide_and_all_namespaces(api: FakeApi, run: Run) -> None:
    before, after = pair()
    api.on("GET", "/apis/subresources.solovirt.io/v1/figures", Answer(answer(before)), Answer(answer(after)))
    head, row = run("top", "--once", "-A", "-o", "wide").out.splitlines()
    assert head.split()[:2] == ["NAMESPACE", "NAME"]
    assert head.split()[-2:] == ["DELAY%", "VCPUS"]
    assert row.split()[:2] == ["default", "web"]
    assert row.split()[-2:] == ["10.0", "50"]


def test_json(api: FakeApi, run: Run) -> None:
    before, after = pair()
    api.on("GET", FIGURES, Answer(answer(before)), Answer(answer(after)))
    shown = json.loads(run("top", "--once", "-o", "json").out)
    assert shown["host"] == {"cpus": 4, "memory": 1 << 34}
    (machine,) = shown["items"]
    assert machine["cpu"] == {"percent": 25.0, "vcpus": [50.0], "delays": [10.0]}
    assert machine["disk"] == {"readBytes": 3 << 20, "writeBytes": 512.0, "reads": 7.0, "writes": 1.0}
    assert machine["network"] == {"rxBytes": None, "txBytes": None}


def test_names_choose_and_must_be_there(api: FakeApi, run: Run) -> None:
    (a0, a1), (b0, b1) = pair("a"), pair("b")
    api.on("GET", FIGURES, Answer(answer(a0, b0)), Answer(answer(a1, b1)))
    api.on("GET", f"{VMIS}/b", Answer({"metadata": {"name": "b"}}))
    assert [line.split()[0] for line in run("top", "b", "--once").out.splitlines()] == ["NAME", "b"]
    result = run("top", "nobody", "--once")
    assert (result.code, "not found" in result.err) == (1, True)
    assert run("top", "b", "-A", "--once").code == 1


def test_the_guest_cannot_write_on_the_terminal(api: FakeApi, run: Run) -> None:
    before, after = pair("we\x1b[2Jb")
    after["errors"] = ["bad\x1b]0;x\x07"]
    api.on("GET", FIGURES, Answer(answer(before)), Answer(answer(after)))
    result = run("top", "--once")
    assert "\x1b" not in result.out + result.err
    assert "bad" in result.err


def test_nothing_runs(api: FakeApi, run: Run) -> None:
    api.on("GET", FIGURES, Answer(answer()))
    result = run("top", "--once")
    assert (result.code, result.out) == (0, "")
    assert "No running VMs found in default namespace." in result.err


def test_rows_again_and_again_into_a_pipe(api: FakeApi, run: Run) -> None:
    (a0, a1), (b0, b1) = pair("a"), pair("b")
    gone = Answer(answer(b1))
    api.on("GET", FIGURES, Answer(answer(a0, b0)), Answer(answer(a1, b1)), gone, END)
    result = run("top", "--interval", "10ms", "--sort", "name")
    assert [line.split()[0] for line in result.out.splitlines()] == ["NAME", "a", "b", "b"]
    assert (result.code, "enough" in result.err) == (1, True), "a server that refuses ends it"


def test_json_again_and_again_is_one_document_a_line(api: FakeApi, run: Run) -> None:
    before, after = pair()
    api.on("GET", FIGURES, Answer(answer(before)), Answer(answer(after)), Answer(answer()), END)
    lines = run("top", "-o", "json", "--interval", "10ms").out.splitlines()
    assert [len(json.loads(line)["items"]) for line in lines] == [1, 0]


@pytest.mark.parametrize("words", [("--interval", "1ms"), ("--interval", "soon")])
def test_wrong_intervals(run: Run, words: tuple[str, ...]) -> None:
    assert run("top", *words).code == 1


def test_a_server_without_figures(api: FakeApi, run: Run) -> None:
    api.on("GET", FIGURES, Answer(b"404 page not found", 404))
    assert "no solovirt extensions" in run("top", "--once").err


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0Ki"), (1536, "1.5Ki"), (240 << 20, "240Mi"), (5 << 40, "5.0Ti")],
)
def test_sizes(value: int, text: str) -> None:
    assert top.size(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (9.9, "9s"), (61, "1m01s"), (3720, "1h02m"), (90000, "1d1h")]
)
def test_ages(seconds: float | None, text: str) -> None:
    assert top._age(seconds) == text
