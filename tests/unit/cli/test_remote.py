from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from solovirt.cli.remote import from_kubeconfig, from_url
from solovirt.kit.errors import BadRequest

CONFIG = """
apiVersion: v1
kind: Config
current-context: lab
clusters:
- name: c
  cluster: {server: "http://10.0.0.1:6443", insecure-skip-tls-verify: true}
contexts:
- name: lab
  context: {cluster: c, user: u, namespace: team}
- name: broken
  context: {cluster: nosuch}
users:
- name: u
  user: {tokenFile: token}
- name: plugin
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent/plugin}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "config").write_text(CONFIG)
    return tmp_path / "config"


def test_current_context(config: Path) -> None:
    endpoint = from_kubeconfig(str(config), "")
    assert (endpoint.host, endpoint.port, endpoint.namespace) == ("10.0.0.1", 6443, "team")
    assert endpoint.headers == {"Authorization": "Bearer secret"}


def test_the_first_file_wins(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text('clusters:\n- name: c\n  cluster: {server: "http://other:1"}\n')
    assert from_kubeconfig(f"{other}:{config}", "lab").host == "other"


@pytest.mark.parametrize(("context", "message"), [("broken", "no cluster 'nosuch'"), ("none", "no context 'none'")])
def test_what_is_missing_is_named(config: Path, context: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        from_kubeconfig(str(config), context)


def test_a_credential_plugin_that_fails(config: Path) -> None:
    config.write_text(CONFIG.replace("user: u,", "user: plugin,"))
    with pytest.raises(BadRequest, match="credential plugin '/nonexistent/plugin' failed"):
        from_kubeconfig(str(config), "")


def test_files_that_are_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No such file"):
        from_kubeconfig(str(tmp_path / "none"), "")
    (tmp_path / "list").write_text("- 1\n")
    with pytest.raises(BadRequest, match="not a kubeconfig"):
        from_kubeconfig(str(tmp_path / "list"), "")


@pytest.mark.parametrize("url", ["ftp://x", "justtext", "https://"])
def test_urls(url: str) -> None:
    with pytest.raises(BadRequest, match="not a URL"):
        from_url(url)


def test_tls_verifies_unless_told_otherwise() -> None:
    strict, loose = from_url("https://x").tls, from_url("https://x", insecure=True).tls
    assert strict is not None
    assert loose is not None
    assert (strict.verify_mode, loose.verify_mode) == (ssl.CERT_REQUIRED, ssl.CERT_NONE)
    assert from_url("https://x").port == 443
