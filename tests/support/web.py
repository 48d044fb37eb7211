"""Servers on loopback for what solovirt fetches: files over HTTP, images from a registry."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import json
import random
import shutil
import socket
import subprocess
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path


class Files(http.server.ThreadingHTTPServer):
    """Serves ``contents`` by path; ``rate`` (bytes a second, 0 = as fast as it can) may be changed at any time."""

    daemon_threads = True

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.contents = dict(contents)
        self.rate = 0
        self.requests: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away in the middle is what some tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        data = self.server.contents.get(self.path)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        step = 64 * 1024
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            if rate := self.server.rate:
                time.sleep(step / rate)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def files(contents: Mapping[str, bytes]) -> Iterator[Files]:
    with Files(contents) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, 0.05))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Registry:
    """Debian's docker-registry on a free port, and images pushed to it without any other tool."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"

    def push(self, repository: str, contents: Mapping[str, bytes], tag: str = "1") -> str:
        """An image of one layer with these files (absolute paths); its reference."""
        layer = _layer(contents)
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self._blob(repository, config.encode(), "application/vnd.oci.image.config.v1+json"),
            "layers": [self._blob(repository, layer, "application/vnd.oci.image.layer.v1.tar+gzip")],
        }
        media = str(manifest["mediaType"])
        self._send("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest).encode(), media)
        return f"{self.host}/{repository}:{tag}"

    def _blob(self, repository: str, data: bytes, media: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        location = self._send("POST", f"/v2/{repository}/blobs/uploads/", b"")["Location"]
        location += ("&" if "?" in location else "?") + f"digest={digest}"
        self._send("PUT", location, data, "application/octet-stream")
        return {"mediaType": media, "digest": digest, "size": len(data)}

    def _send(self, method: str, path: str, data: bytes, media: str = "") -> Mapping[str, str]:
        url = path if path.startswith("http") else f"http://{self.host}{path}"
        request = urllib.request.Request(
            url, data=data, method=method, headers={"Content-Type": media} if media else {}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return dict(response.headers)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.host}/v2/", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False


def _layer(contents: Mapping[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, data in contents.items():
            info = tarfile.TarInfo(path.lstrip("/"))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), 1)


def free_port() -> int:
    """Below those that the kernel gives away by itself: nobody gets it by chance before it is used."""
    while True:
        port = random.randrange(10_000, 32_768)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """A registry that keeps its blobs in ``folder``."""
    binary = shutil.which("docker-registry")
    assert binary, "docker-registry is missing: scripts/test puts it on the PATH"
    port = free_port()
    configuration = folder / "registry.yml"
    configuration.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([binary, "serve", str(configuration)], stdout=log, stderr=log)
    try:
        server = Registry(port)
        deadline = time.monotonic() + 60
        while not server.answers():
            assert process.poll() is None and time.monotonic() < deadline, (folder / "registry.log").read_text()
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(60)
