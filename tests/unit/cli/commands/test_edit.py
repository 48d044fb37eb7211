from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi, status
from tests.unit.cli.conftest import Run

PATH = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines/a"


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("KUBE_EDITOR", str(path))


@pytest.fixture(autouse=True)
def live(api: FakeApi) -> None:
    api.on("GET", PATH, Answer(obj("1", cores=1, old=1)))


def obj(version: str, **spec: Json) -> JsonObject:
    return {"metadata": {"name": "a", "resourceVersion": version}, "spec": spec, "status": {"x": version}}


def sent(version: str, **spec: Json) -> JsonObject:
    return {"metadata": {"resourceVersion": version}, "spec": spec}


def test_the_difference_is_sent(api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(tmp_path, monkeypatch, "sed -i 's/cores: 1/cores: 2/; /old/d' \"$1\"")
    api.on("PATCH", PATH, Answer({}))
    assert run("edit", "vm", "a").out == "virtualmachine.kubevirt.io/a edited\n"
    assert api.requests[-1].body == sent("1", cores=2, old=None)


def test_no_change(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_EDITOR", "true")
    assert "edit cancelled" in run("edit", "vm/a").out
    assert [r.method for r in api.requests] == ["GET"]


def test_a_refused_edit_is_opened_again(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    editor(tmp_path, monkeypatch, f"cat \"$1\" >> {log}; sed -i 's/cores: 1/cores: 9/; s/cores: 8/cores: 2/' \"$1\"; "
           f"grep -q 'too many' \"$1\" && sed -i 's/cores: 9/cores: 2/' \"$1\"; true")  # fmt: skip
    api.on("PATCH", PATH, status(422, "Invalid", "too many cores"), Answer({}))
    assert run("edit", "vm", "a").out.endswith("edited\n")
    assert "# too many cores" in log.read_text()
    assert api.requests[-1].body == sent("1", cores=2)


CONFLICT = status(409, "Conflict", "the object has been modified")


def test_what_others_change_elsewhere_is_kept(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, monkeypatch, "sed -i 's/cores: 1/cores: 2/' \"$1\"")
    api.on("GET", PATH, Answer(obj("1", cores=1, old=1)), Answer(obj("2", cores=1, old=5)))
    api.on("PATCH", PATH, CONFLICT, Answer({}))
    assert run("edit", "vm", "a").out.endswith("edited\n")
    assert [r.body for r in api.requests if r.method == "PATCH"] == [sent("1", cores=2), sent("2", cores=2)]


def test_both_changed_the_same_field(api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The editor opens again on their object with our value; saving it as it is overwrites theirs."""
    log = tmp_path / "log"
    editor(tmp_path, monkeypatch, f'sed -i \'s/cores: 1/cores: 2/\' "$1"; cat "$1" >> {log}')
    api.on("GET", PATH, Answer(obj("1", cores=1, old=1)), Answer(obj("2", cores=4, old=5)))
    api.on("PATCH", PATH, CONFLICT, Answer({}))
    assert run("edit", "vm", "a").out.endswith("edited\n")
    assert [r.body for r in api.requests if r.method == "PATCH"] == [sent("1", cores=2), sent("2", cores=2)]
    second = log.read_text().split("# Edit the object below")[2]
    assert "somebody else changed spec.cores meanwhile" in second
    assert "old: 5" in second and "cores: 2" in second


def test_giving_way_to_others(api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(tmp_path, monkeypatch, 'grep -q somebody "$1" && : > "$1"; sed -i \'s/cores: 1/cores: 2/\' "$1"')
    api.on("GET", PATH, Answer(obj("1", cores=1)), Answer(obj("2", cores=4)))
    api.on("PATCH", PATH, CONFLICT)
    result = run("edit", "vm", "a")
    assert result.code == 1 and "nothing was saved" in result.err
    assert sum(r.method == "PATCH" for r in api.requests) == 1


def test_giving_up_after_a_refusal_tells_it(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, monkeypatch, "sed -i 's/cores: 1/cores: [/' \"$1\"")
    result = run("edit", "vm", "a")
    assert result.code == 1
    assert "nothing was saved" in result.err
    assert "the edited object:" in result.err


def test_editors_that_fail(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_EDITOR", "false")
    assert "left with exit code 1" in run("edit", "vm", "a").err
    monkeypatch.setenv("KUBE_EDITOR", "/nonexistent/editor")
    assert "cannot be started" in run("edit", "vm", "a").err
