from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from solovirt.cli import endpoint as endpoints
from solovirt.cli.endpoint import Endpoint, LocalEndpoint, choose
from solovirt.kit.errors import BadRequest, Unavailable


def test_the_local_daemon_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("SOLOVIRT_RUNTIME_DIR", "/tmp/x")
    endpoint = choose("", "")
    assert isinstance(endpoint, LocalEndpoint)
    assert str(endpoint) == "unix:///tmp/x/solovirt.sock"


def test_server_wins_over_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    assert str(choose("http://127.0.0.1:8001/prefix/", "")) == "http://127.0.0.1:8001/prefix"
    assert choose("unix:///a/b", "").unix == "/a/b"


def test_a_context_needs_a_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(BadRequest, match="KUBECONFIG"):
        choose("", "lab")


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cannot reach unix://.*No such file"):
        Endpoint(unix=str(tmp_path / "none")).connect()
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1: Connection refused"):
        Endpoint(host="127.0.0.1", port=1).connect()


def test_ipv6_authority() -> None:
    assert Endpoint(host="::1", port=6443).authority == "[::1]:6443"


class Listener:
    """A connected socket whose other side belongs to ``uid``."""

    def __init__(self, uid: int) -> None:
        self.uid = uid

    def getsockopt(self, *_: int) -> bytes:
        return struct.pack("3i", 1, self.uid, self.uid)


def test_a_daemon_of_somebody_else_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """/tmp/solovirt-1000 can be made by anybody; what would be sent there may hold passwords."""
    check = cast(Callable[[Listener, str], None], endpoints._check_server)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    check(Listener(1000), "/s")
    check(Listener(0), "/s")
    with pytest.raises(Unavailable, match="/s is served by user 1001, who is neither you nor root"):
        check(Listener(1001), "/s")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    check(Listener(1001), "/s")  # root may look after everybody's


def test_a_path_that_is_too_long_has_a_way_out() -> None:
    with pytest.raises(Unavailable, match="too long") as caught:
        Endpoint(unix="/tmp/" + "x" * 120).connect()
    assert "SOLOVIRT_RUNTIME_DIR" in caught.value.hint
