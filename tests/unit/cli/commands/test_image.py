from __future__ import annotations

import json
from pathlib import Path

import pytest

from solovirt.host.debian.build import DebianImage
from solovirt.kit.jsontypes import JsonObject
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.solovirt.io/v1/images"


def test_list(api: FakeApi, run: Run) -> None:
    item: JsonObject = {"reference": "solovirt/tiny", "digest": "sha256:" + "a" * 64, "size": 1 << 20, "files": ["/x"]}
    api.on("GET", PATH, Answer({"items": [item]}))
    assert run("image", "ls").out.splitlines()[1].split() == [
        "solovirt/tiny",
        "sha256:aaaaaaaaaaaa",
        "1.0",
        "MiB",
        "/x",
    ]
    assert json.loads(run("image", "ls", "-o", "json").out) == [item]


def test_pull_shows_progress_and_the_digest(api: FakeApi, run: Run) -> None:
    lines: list[JsonObject] = [{"message": "layers", "done": 1, "total": 2}, {"digest": "sha256:1"}]
    api.on("POST", PATH, Answer([*lines]))
    result = run("image", "pull", "a/b:1")
    assert (result.out, result.err) == ("a/b:1 sha256:1\n", "layers\n")
    assert api.requests[0].body == {"action": "pull", "reference": "a/b:1"}


def test_a_failure_in_the_stream(api: FakeApi, run: Run) -> None:
    api.on("POST", PATH, Answer([{"error": "no such image", "hint": "check the name"}]))
    result = run("image", "pull", "a/b:1")
    assert (result.code, result.err) == (1, "error: no such image\n  check the name\n")


def test_import(api: FakeApi, run: Run, tmp_path: Path) -> None:
    api.on("POST", PATH, Answer([{"digest": "sha256:1"}]))
    disk = tmp_path / "disk.qcow2"
    disk.write_bytes(b"x")
    assert run("image", "import", "my/disk:1", str(disk), "--file", f"/boot/k={disk}").code == 0
    assert api.requests[0].body == {
        "action": "import",
        "reference": "my/disk:1",
        "files": {"/disk/disk.qcow2": str(disk), "/boot/k": str(disk)},
    }


def test_wrong_calls(run: Run) -> None:
    assert "needs a reference" in run("image", "rm").err
    assert "needs a disk image" in run("image", "import", "a").err
    assert "cannot be read" in run("image", "import", "a", "/nonexistent").err
    assert "is not /PATH" in run("image", "import", "a", "--file", "x").err
    assert "cannot be built" in run("image", "build", "huge").err


def test_remove(api: FakeApi, run: Run) -> None:
    api.on("DELETE", PATH, Answer({}))
    assert run("image", "rm", "a/b:1").out == "a/b:1 removed\n"
    assert api.requests[0].query == {"reference": "a/b:1"}


@pytest.mark.parametrize("word", ["debian", "solovirt/debian"])
def test_a_debian_is_built_here_and_imported_there(
    api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    def build(folder: Path, *, progress: object) -> DebianImage:
        assert folder == tmp_path / "state/build/debian"
        return DebianImage(folder / "k", folder / "i", folder / "d")

    monkeypatch.setenv("SOLOVIRT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("solovirt.host.debian.build.build", build)
    api.on("POST", PATH, Answer([{"digest": "sha256:1"}]))
    assert run("image", "build", word).code == 0
    built = tmp_path / "state/build/debian"
    assert api.requests[0].body == {
        "action": "import",
        "reference": "solovirt/debian",
        "files": {"/disk/disk.qcow2": f"{built}/d", "/boot/vmlinuz": f"{built}/k", "/boot/initrd": f"{built}/i"},
    }
