from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from solovirt.cli.main import main
from solovirt.kit.paths import Paths

CHECKS = [
    SimpleNamespace(name="QEMU", status="OK", message="7.2", needed_for="", hint=""),
    SimpleNamespace(name="skopeo", status="WARN", message="missing", needed_for="pulling", hint="apt install skopeo"),
]


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    found = list(CHECKS)

    async def check(paths: Paths, environ: Mapping[str, str]) -> list[SimpleNamespace]:
        return found

    monkeypatch.setattr("solovirt.host.doctor.check", check)
    return found


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "OK    QEMU    7.2" in out
    assert "pulling; apt install skopeo" in out


def test_json_and_exit_code(checks: list[SimpleNamespace], capsys: pytest.CaptureFixture[str]) -> None:
    checks.append(SimpleNamespace(name="x", status="FAIL", message="m", needed_for="n", hint="h"))
    assert main(["doctor", "-o", "json"]) == 1
    row = {"name": "x", "status": "FAIL", "message": "m", "neededFor": "n", "hint": "h"}
    assert json.loads(capsys.readouterr().out)[-1] == row
