from __future__ import annotations

from pathlib import Path

import pytest

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
