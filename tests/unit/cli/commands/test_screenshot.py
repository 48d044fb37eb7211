from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.apiserver import Answer, FakeApi, status
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/a/vnc/screenshot"
PNG = b"\x89PNG\r\n\x1a\n\xff"


def test_where_it_goes(api: FakeApi, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    api.on("GET", PATH, Answer(PNG))
    assert run("screenshot", "a").code == 0
    assert (tmp_path / "a.png").read_bytes() == PNG
    assert run("screenshot", "a", "-m", "-f", "b.png").code == 0
    assert (tmp_path / "b.png").read_bytes() == PNG
    assert [request.query["moveCursor"] for request in api.requests] == ["false", "true"]


def test_a_refusal_leaves_nothing(api: FakeApi, run: Run, tmp_path: Path) -> None:
    api.on("GET", PATH, status(400, "BadRequest", "No graphics devices are present."))
    result = run("screenshot", "a", "-f", str(tmp_path / "a.png"))
    assert result.code == 1 and "No graphics devices" in result.err
    assert os.listdir(tmp_path) == []
