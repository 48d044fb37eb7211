import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.kit.errors import HostError, NotFound
from solovirt.server import logs
from solovirt.server.logs import LogFile, open_log


def everything(log: LogFile) -> bytes:
    data = b""
    while chunk := log.read():
        data += chunk
    return data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "serial.log"


@pytest.mark.parametrize(
    ("content", "lines", "wanted"),
    [
        (b"", 5, b""),
        (b"a\nb\nc\n", 0, b""),
        (b"a\nb\nc\n", 1, b"c\n"),
        (b"a\nb\nc", 1, b"c"),
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc\n", 9, b"a\nb\nc\n"),
        (b"\n\n\n", 2, b"\n\n"),
        (b"x" * 200_000 + b"\nlast\n", 1, b"last\n"),
    ],
)
async def test_tail(path: Path, content: bytes, lines: int, wanted: bytes) -> None:
    path.write_bytes(content)
    log = await open_log(path, lines)
    assert everything(log) == wanted
    log.close()


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=60).map(lambda b: b.replace(b"\x01", b"\n")), lines=st.integers(0, 8))
def test_tail_agrees_with_splitting(tmp_path_factory: pytest.TempPathFactory, content: bytes, lines: int) -> None:
    path = tmp_path_factory.mktemp("log") / "x"
    path.write_bytes(content)
    log = LogFile(path)
    log.seek_tail(lines)
    parts = content.split(b"\n")
    whole = [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
    assert everything(log) == (b"".join(whole[-lines:]) if lines else b"")
    log.close()


def test_growth(path: Path) -> None:
    path.write_bytes(b"one")
    log = LogFile(path)
    assert everything(log) == b"one"
    with path.open("ab") as file:
        file.write(b"two")
    assert everything(log) == b"two"
    log.close()


def test_rotation_loses_nothing(path: Path) -> None:
    path.write_bytes(b"1")
    log = LogFile(path)
    assert everything(log) == b"1"
    with path.open("ab") as file:
        file.write(b"2")
        file.flush()
        path.rename(path.with_suffix(".1"))
        assert everything(log) == b"2"
        file.write(b"3")
    path.write_bytes(b"4")
    assert everything(log) == b"34"
    assert everything(log) == b""
    log.close()


def test_the_time_between_two_names(path: Path) -> None:
    path.write_bytes(b"1")
    log = LogFile(path)
    everything(log)
    path.unlink()
    assert everything(log) == b""
    path.write_bytes(b"2")
    assert everything(log) == b"2"
    log.close()


def test_truncation(path: Path) -> None:
    path.write_bytes(b"long text")
    log = LogFile(path)
    everything(log)
    path.write_bytes(b"new")
    assert everything(log) == b"new"
    log.close()


def test_what_is_no_log(path: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"serial\.log does not exist yet"):
        LogFile(path)
    (tmp_path / "secret").write_text("x")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(HostError):
        LogFile(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(HostError, match="not a regular file"):
        LogFile(path)


async def test_a_client_that_leaves_ends_the_follow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "POLL", 30)
    path.write_bytes(b"text")
    log = await open_log(path, None)
    incoming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    sent: list[bytes] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(bytes(message.get("body", b"")))  # type: ignore[call-overload]

    task = asyncio.create_task(logs.LogAnswer(log, lambda: True)({}, incoming.get, send))  # type: ignore[arg-type]
    while b"text" not in sent:
        await asyncio.sleep(0.005)
    incoming.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(task, 60)
    with pytest.raises(OSError, match="Bad file descriptor"):
        log.read()
