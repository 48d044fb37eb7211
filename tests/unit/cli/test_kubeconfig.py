from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.cli import kubeconfig
from solovirt.cli.endpoint import Credentials
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
    endpoint = kubeconfig.load(str(config), "")
    assert (endpoint.host, endpoint.port, endpoint.namespace) == ("10.0.0.1", 6443, "team")
    assert endpoint.headers == {"Authorization": "Bearer secret"}


def test_the_first_file_wins(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text('clusters:\n- name: c\n  cluster: {server: "http://other:1"}\n')
    assert kubeconfig.load(f"{other}:{config}", "lab").host == "other"


@pytest.mark.parametrize(("context", "message"), [("broken", "no cluster 'nosuch'"), ("none", "no context 'none'")])
def test_what_is_missing_is_named(config: Path, context: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        kubeconfig.load(str(config), context)


def test_a_credential_plugin_that_fails(config: Path) -> None:
    config.write_text(CONFIG.replace("user: u,", "user: plugin,"))
    with pytest.raises(BadRequest, match="credential plugin '/nonexistent/plugin' failed"):
        kubeconfig.load(str(config), "")


def test_files_that_are_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No such file"):
        kubeconfig.load(str(tmp_path / "none"), "")
    (tmp_path / "list").write_text("- 1\n")
    with pytest.raises(BadRequest, match="not a kubeconfig"):
        kubeconfig.load(str(tmp_path / "list"), "")


def changed(config: Path, *pairs: tuple[str, str]) -> str:
    text = CONFIG
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    return str(config)


def test_what_is_given_wins(config: Path) -> None:
    endpoint = kubeconfig.load(str(config), "", Credentials(token="mine"))
    assert endpoint.headers == {"Authorization": "Bearer mine"}


def test_missing_files_of_a_list_are_passed_over(config: Path, tmp_path: Path) -> None:
    assert kubeconfig.load(f"{tmp_path}/none:{config}").namespace == "team"


def test_names_and_passwords(config: Path) -> None:
    path = changed(config, ("{tokenFile: token}", "{username: u, password: p}"))
    assert kubeconfig.load(path).headers == {"Authorization": "Basic dTpw"}


def test_a_credential_plugin(config: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text('#!/bin/sh\necho \'{"status": {"token": "t\'$1$NAME\'"}}\'\n')
    plugin.chmod(0o755)
    settings = f"{{exec: {{command: {plugin}, args: [a], env: [{{name: NAME, value: b}}]}}}}"
    path = changed(config, ("{tokenFile: token}", settings))
    assert kubeconfig.load(path).headers == {"Authorization": "Bearer tab"}
    plugin.write_text("#!/bin/sh\necho nonsense\n")
    with pytest.raises(BadRequest, match="failed"):
        kubeconfig.load(path)
    plugin.write_text("#!/bin/sh\necho '{}'\n")
    with pytest.raises(BadRequest, match="neither a token nor a certificate"):
        kubeconfig.load(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{tokenFile: token}", "{tokenFile: none}", "tokenFile .*none cannot be read"),
        ("{tokenFile: token}", "{as: root}", "as is not supported"),
        ("{tokenFile: token}", "{client-certificate-data: '%%'}", "client-certificate-data is not base64"),
        ("insecure-skip-tls-verify: true", "proxy-url: 'http://x'", "proxy-url is not supported"),
        ('"http://10.0.0.1:6443"', '"https://x", certificate-authority: none', "CA certificates .*none.* No such file"),
        (
            '"http://10.0.0.1:6443"',
            '"https://x", certificate-authority-data: eHh4',
            "CA certificates of the kubeconfig",
        ),
        ('"http://10.0.0.1:6443"', '""', "is not the URL of a server"),
    ],
)
def test_what_cannot_be_used_is_named(config: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        kubeconfig.load(changed(config, (old, new)))
