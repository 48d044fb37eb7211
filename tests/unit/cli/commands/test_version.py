from __future__ import annotations

import json

import pytest

from solovirt import __version__
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run


def test_both(api: FakeApi, run: Run) -> None:
    api.on("GET", "/version", Answer({"gitVersion": "v9"}))
    assert run("version").out == f"Client Version: v{__version__}\nServer Version: v9\n"
    assert json.loads(run("version", "-o", "json").out)["serverVersion"] == {"gitVersion": "v9"}
    assert "gitVersion: v9" in run("version", "-o", "yaml").out


def test_no_server(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLOVIRT_SERVER", "unix:///nonexistent.sock")
    result = run("version")
    assert (result.code, "cannot reach" in result.err) == (1, True)
    assert run("version", "--client").code == 0
