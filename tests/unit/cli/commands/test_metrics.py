"""``metrics``: text as it came, to the terminal or into a file."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

TEXT = "# HELP a b\n# TYPE a gauge\na 1.0\n"


def test_as_it_came(api: FakeApi, run: Run) -> None:
    api.on("GET", "/metrics", Answer(TEXT.encode()))
    assert run("metrics").out == TEXT


def test_into_a_file_that_is_whole_or_as_before(api: FakeApi, run: Run, tmp_path: Path) -> None:
    api.on("GET", "/metrics", Answer(TEXT.encode()))
    file = tmp_path / "solovirt.prom"
    file.write_text("before")
    assert run("metrics", "-f", str(file)).out == ""
    assert file.read_text() == TEXT
    assert stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o444, "collectors run as another user"
    assert list(tmp_path.iterdir()) == [file]
    api.on("GET", "/metrics", Answer({"message": "no"}, 500))
    assert run("metrics", "-f", str(file)).code == 1
    assert file.read_text() == TEXT


def test_a_place_that_cannot_be_written(api: FakeApi, run: Run, tmp_path: Path) -> None:
    api.on("GET", "/metrics", Answer(TEXT.encode()))
    result = run("metrics", "-f", str(tmp_path / "none/x"))
    assert (result.code, "cannot be written" in result.err) == (1, True)
