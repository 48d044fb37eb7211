"""Other people's servers: TLS, tokens, client certificates, kubeconfigs, the console over wss."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support import served, terminal
from tests.support.manifests import vm
from tests.support.served import Certificates, Served
from tests.support.system import Done

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates"),
]
COMMAND = [sys.executable, "-m", "solovirt"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return served.certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def guarded(made: Certificates) -> Iterator[Served]:
    """TLS, and the token "secret"."""
    with served.serving(made, token="secret") as server:
        yield server


@pytest.fixture(scope="module")
def mutual(made: Certificates) -> Iterator[Served]:
    """TLS that asks for a client certificate."""
    with served.serving(made, client_certificate=True) as server:
        yield server


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """Nothing may start a daemon here: it would show in these directories."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SOLOVIRT_") and k != "KUBECONFIG"}
    return {**kept, "SOLOVIRT_STATE_DIR": f"{tmp_path}/s", "SOLOVIRT_RUNTIME_DIR": f"{tmp_path}/r", **more}


def cli(environ: Mapping[str, str], *words: str, stdin: bytes = b"") -> Done:
    done = subprocess.run([*COMMAND, *words], env=dict(environ), input=stdin, capture_output=True, timeout=60)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def kubeconfig(tmp_path: Path, server: str, cluster: dict[str, str], user: dict[str, str]) -> dict[str, str]:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "default"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    return environment(tmp_path, KUBECONFIG=str(tmp_path / "config"))


def test_apply_get_wait_delete(guarded: Served, made: Certificates, tmp_path: Path) -> None:
    environ = kubeconfig(tmp_path, guarded.url, {"certificate-authority": str(made.ca)}, {"token": "secret"})
    manifest = json.dumps(vm("remote", strategy="Halted")).encode()
    assert cli(environ, "apply", "-f", "-", stdin=manifest).out == "virtualmachine.kubevirt.io/remote created\n"
    assert cli(environ, "apply", "-f", "-", stdin=manifest).out == "virtualmachine.kubevirt.io/remote unchanged\n"
    assert "remote" in cli(environ, "get", "vm").out
    assert cli(environ, "wait", "vm/remote", "--for=jsonpath={.spec.runStrategy}=Halted").code == 0
    late = cli(environ, "wait", "vm/remote", "--for=condition=Ready", "--timeout=1s")
    assert (late.code, "timed out" in late.err) == (1, True)
    done = cli(environ, "delete", "vm", "remote", "--wait=false")
    assert done.out == 'virtualmachine.kubevirt.io "remote" deleted\n', done
    assert not (tmp_path / "r").exists(), "no daemon of ours was asked"


def test_options_instead_of_a_kubeconfig(guarded: Served, made: Certificates, tmp_path: Path) -> None:
    environ = environment(tmp_path)
    trust = ("--server", guarded.url, "--certificate-authority", str(made.ca))
    assert cli(environ, *trust, "--token=secret", "get", "ns").out.startswith("NAME")
    assert cli(environ, "get", "ns", "--server", guarded.url, "--insecure-skip-tls-verify", "--token=secret").code == 0
    done = cli(environ, *trust, "--token=wrong", "get", "ns")
    assert done.err.splitlines()[0] == "Error from server (Unauthorized): Unauthorized"
    assert "--token" in done.err


def test_a_server_that_is_not_trusted(guarded: Served, tmp_path: Path) -> None:
    done = cli(environment(tmp_path), "--server", guarded.url, "get", "vm")
    assert done.code == 1
    assert done.err.splitlines() == [
        f"error: the certificate of {guarded.url} is not trusted: unable to get local issuer certificate",
        "  --certificate-authority FILE, or certificate-authority in the kubeconfig, names the CA to trust",
    ]
    done = cli(environment(tmp_path), "--server", guarded.url, "console", "vm")
    assert "is not trusted" in done.err


def test_a_certificate_for_another_name(guarded: Served, made: Certificates, tmp_path: Path) -> None:
    url = guarded.url.replace("127.0.0.1", "localhost")
    trusted = {"certificate-authority": str(made.ca)}
    done = cli(kubeconfig(tmp_path, url, trusted, {"token": "secret"}), "get", "vm")
    assert "is not trusted: Hostname mismatch" in done.err
    named = {**trusted, "tls-server-name": "127.0.0.1"}
    assert cli(kubeconfig(tmp_path, url, named, {"token": "secret"}), "get", "ns").code == 0


def test_client_certificates(mutual: Served, made: Certificates, tmp_path: Path) -> None:
    trust = ("--server", mutual.url, "--certificate-authority", str(made.ca))
    own = ("--client-certificate", str(made.client), "--client-key", str(made.client_key))
    assert cli(environment(tmp_path), *trust, *own, "get", "ns").code == 0

    def data(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    user = {"client-certificate-data": data(made.client), "client-key-data": data(made.client_key)}
    environ = kubeconfig(tmp_path, mutual.url, {"certificate-authority-data": data(made.ca)}, user)
    assert cli(environ, "get", "ns").code == 0
    done = cli(environment(tmp_path), *trust, "get", "ns")
    assert done.code == 1
    assert "certificate" in done.err and "--client-certificate" in done.err
    assert "Traceback" not in done.err


def test_a_port_without_tls(made: Certificates, tmp_path: Path) -> None:
    with served.serving() as plain:
        done = cli(environment(tmp_path), "--server", plain.url.replace("http:", "https:"), "get", "vm")
        assert done.err.startswith("error: no TLS connection to https://"), done
        assert cli(environment(tmp_path), "--server", plain.url, "get", "ns").code == 0


def test_console_over_wss(guarded: Served, made: Certificates, tmp_path: Path) -> None:
    environ = kubeconfig(tmp_path, guarded.url, {"certificate-authority": str(made.ca)}, {"token": "secret"})
    with terminal.running([*COMMAND, "console", "web"], environ) as screen:
        screen.expect(b"Successfully connected")
        screen.send(b"hello ")
        screen.expect(b"HELLO ")
        for _ in range(50):
            screen.send(b"abc" * 100)
        screen.expect(b"ABC" * 5000)
        screen.send(terminal.ESCAPE)
        assert screen.process.wait(60) == 0
    done = cli({**environ, "KUBECONFIG": ""}, "--server", guarded.url, "--insecure-skip-tls-verify", "console", "web")
    assert done.err.startswith("Error from server (Unauthorized)"), done


@pytest.mark.parametrize(
    "words",
    [
        ("exec", "web", "--", "true"),
        ("agent", "web", "guest-ping"),
        ("logs", "web"),
        ("explain", "vm", "web"),
        ("image", "ls"),
        ("image", "pull", "a/b"),
    ],
)
def test_servers_without_our_extensions(words: tuple[str, ...], tmp_path: Path) -> None:
    with served.serving(extensions=False) as plain:
        done = cli(environment(tmp_path), "--server", plain.url, *words)
    assert done.code == 1
    assert done.err.splitlines() == [
        "error: this server has no solovirt extensions",
        "  exec, agent, logs, explain vm and image work with a solovirt daemon only",
    ]


def test_files_of_this_host_stay_here(guarded: Served, made: Certificates, tmp_path: Path) -> None:
    """A remote daemon would look for the path on its own host."""
    environ = kubeconfig(tmp_path, guarded.url, {"certificate-authority": str(made.ca)}, {"token": "secret"})
    done = cli(environ, "image", "import", "a/b", "/etc/hostname")
    assert (done.code, "needs the daemon of this host" in done.err) == (1, True)
