import logging
import socket
import tempfile
from pathlib import Path

import pytest

from solovirt.server.systemd import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_notify(abstract: bool) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="sv-", dir="/tmp") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        path = str(Path(folder) / "notify")
        receiver.bind("\0" + path if abstract else path)
        receiver.settimeout(60)
        notify("READY=1", {"NOTIFY_SOCKET": "@" + path if abstract else path})
        assert receiver.recv(100) == b"READY=1"


def test_nobody_to_notify(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        notify("READY=1", {})
        assert not caplog.records
        notify("READY=1", {"NOTIFY_SOCKET": "/nonexistent/socket"})
    assert "cannot notify /nonexistent/socket" in caplog.text
