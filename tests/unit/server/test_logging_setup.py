import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.kit.errors import HostError
from solovirt.server import logging_setup


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    # basicConfig(force=True) closes what it finds: pytest's own handlers must not be among it.
    for handler in handlers:
        root.removeHandler(handler)
    yield
    logging_setup.tear_down()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


def test_file_and_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logging_setup.set_up(tmp_path / "daemon.log", "INFO")
    logging.getLogger("solovirt.x").info("hello")
    logging.getLogger("uvicorn.error").info("noise")
    text = (tmp_path / "daemon.log").read_text()
    assert "INFO solovirt.x: hello" in text and "noise" not in text
    assert "hello" in capsys.readouterr().err


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging_setup, "MAX_BYTES", 2000)
    logging_setup.set_up(tmp_path / "daemon.log", "INFO")
    for index in range(300):
        logging.getLogger("x").info("line %d with some text behind it", index)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + logging_setup.KEPT
    assert all(file.stat().st_size <= 2000 for file in files)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        logging_setup.set_up(tmp_path / "missing" / "daemon.log", "INFO")
    assert caught.value.reason == "LogUnwritable"
