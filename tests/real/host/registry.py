"""Debian's docker-registry on loopback, filled by skopeo from OCI layouts that the tests make."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from solovirt.kit import json
from solovirt.kit.json import Json
from tests.support.web import free_port
from tests.unit.host.images.fakes import OCI, Registry

USER, PASSWORD = "joe", "hunter2"
_HTPASSWD = "joe:$2b$04$IofymES/QQKjlwACv5S8k.eAJ8d/LSXRPAktwR.uYcoFGC0gVlzEm\n"
_CONFIG = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {root}/data}}
http:
  addr: 127.0.0.1:{port}
"""
_AUTH = """\
auth:
  htpasswd: {{realm: test, path: {root}/htpasswd}}
"""


@dataclass(frozen=True)
class RealRegistry:
    """``address`` is "localhost:PORT"; ``process`` may be stopped by a test."""

    address: str
    root: Path
    process: subprocess.Popen[bytes]
    protected: bool

    def push(self, name: str, *layers: bytes, others: tuple[str, ...] = ()) -> str:
        """Pushes an image of gzip layers, as an index with further architectures if ``others``; returns its digest."""
        made = Registry()
        digest = made.push("image", *layers)
        if others:
            foreign = {arch: made.push(arch, b"not for this host") for arch in others}
            digest = made.push_index({**foreign, "amd64": digest})
        layout = self.root / f"oci-{time.monotonic_ns()}"
        _write_layout(layout, made, digest, bool(others))
        command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"]
        command += ["--dest-tls-verify=false"]
        if self.protected:
            command += ["--dest-creds", f"{USER}:{PASSWORD}"]
        command += [f"oci:{layout}:it", f"docker://{self.address}/{name}"]
        subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
        return digest


def _write_layout(layout: Path, made: Registry, digest: str, index: bool) -> None:
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for name, data in made.blobs.items():
        (blobs / name.removeprefix("sha256:")).write_bytes(data)
    kind = "index" if index else "manifest"
    entry: dict[str, Json] = {
        "mediaType": f"{OCI}.{kind}.v1+json",
        "digest": digest,
        "size": len(made.blobs[digest]),
        "annotations": {"org.opencontainers.image.ref.name": "it"},
    }
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_bytes(json.encode({"schemaVersion": 2, "manifests": [entry]}))


@contextlib.contextmanager
def serving(root: Path, *, protected: bool = False) -> Iterator[RealRegistry]:
    root.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (root / "htpasswd").write_text(_HTPASSWD)
    config = _CONFIG + (_AUTH if protected else "")
    (root / "config.yml").write_text(config.format(root=root, port=port))
    environ = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    with open(root / "log", "wb") as log:
        process = subprocess.Popen(
            ["/usr/bin/docker-registry", "serve", str(root / "config.yml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environ,
        )
    try:
        _wait(port, process, root / "log")
        yield RealRegistry(f"localhost:{port}", root, process, protected)
    finally:
        process.kill()
        process.wait(timeout=30)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 401:
                    return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"docker-registry did not start: {log.read_text()}")
