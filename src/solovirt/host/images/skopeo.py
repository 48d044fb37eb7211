"""Registries, through skopeo: raw manifests and layers into a directory. Verifies nothing itself; ``pull`` does.

Credentials go through a 0600 file, never argv. TLS is required but for registries on this host's loopback and those
that ``SOLOVIRT_INSECURE_REGISTRIES`` (comma-separated host[:port]) names. Knows nothing of the cache.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from solovirt.host.images import files, tools
from solovirt.host.images.credentials import Credentials
from solovirt.host.images.manifest import MAX_MANIFEST
from solovirt.host.images.reference import Reference
from solovirt.kit.errors import HostError
from solovirt.kit.text import printable

_INSPECT_TIMEOUT = 60.0
_COPY_TIMEOUT = 24 * 3600.0
_STALL = 300.0
_TICK = 0.2
_PASSED = ("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
_FATAL = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
_HINTS = (
    ("unauthorized", "name a Secret with the registry's credentials in imagePullSecret"),
    ("authentication required", "name a Secret with the registry's credentials in imagePullSecret"),
    ("denied", "check the image name and the registry's credentials (imagePullSecret)"),
    ("manifest unknown", "check the image's name and tag"),
    ("connection refused", "is the registry running? Images imported with `solovirt image import` need none"),
    ("no such host", "check the registry's name and this host's network"),
    ("server gave HTTP response", "allow plain HTTP with SOLOVIRT_INSECURE_REGISTRIES=HOST:PORT"),
    ("certificate", "trust its CA on this host, or allow it with SOLOVIRT_INSECURE_REGISTRIES=HOST:PORT"),
)


class Skopeo:
    """``directory`` is a private (0700) directory of one pull: the credentials file and skopeo's temporary files."""

    def __init__(
        self,
        reference: Reference,
        directory: Path,
        credentials: Credentials | None,
        *,
        architecture: str = "amd64",
        environ: Mapping[str, str] = os.environ,
        field: str = "",
    ) -> None:
        self._reference = reference
        self._directory = directory
        self._architecture = architecture
        self._environ = environ
        self._field = field
        self._auth: Path | None = None
        if credentials is not None:
            self._auth = directory / "auth.json"
            files.write_atomic(self._auth, credentials.auth_file, 0o600)

    async def raw_manifest(self, digest: str) -> bytes:
        """The manifest or index of the reference (``digest`` ""), or of the same repository under ``digest``."""
        tls = ["--tls-verify=false"] if self._insecure() else []
        source = self._source(digest or self._reference.digest)
        arguments = [*self._global(), "inspect", "--raw", *tls, *self._authfile("--authfile"), source]
        done = await tools.run(
            "skopeo",
            arguments,
            timeout=_INSPECT_TIMEOUT,
            needed_for="pulling images from registries",
            environ=self._environment(),
            max_stdout=MAX_MANIFEST,
        )
        self._check(done)
        return done.stdout

    async def copy(self, digest: str, target: Path, progress: Callable[[int], None]) -> None:
        """Config and layers of the manifest ``digest`` into the new directory ``target`` (skopeo's ``dir:`` form).

        ``progress`` gets the bytes written so far. Raises ``HostError`` when nothing arrives for five minutes.
        """
        tls = ["--src-tls-verify=false"] if self._insecure() else []
        arguments = [*self._global(), "copy", "--quiet", "--preserve-digests", *tls]
        arguments += [*self._authfile("--src-authfile"), self._source(digest), f"dir:{target}"]
        running = asyncio.ensure_future(
            tools.run(
                "skopeo",
                arguments,
                timeout=_COPY_TIMEOUT,
                needed_for="pulling images from registries",
                environ=self._environment(),
            )
        )
        try:
            await self._follow(running, target, progress)
        finally:
            if not running.done():
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running
        self._check(running.result())

    async def _follow(
        self, running: asyncio.Future[tools.Completed], target: Path, progress: Callable[[int], None]
    ) -> None:
        clock = asyncio.get_running_loop().time
        seen, since = -1, clock()
        while not running.done():
            await asyncio.wait({running}, timeout=_TICK)
            size = await asyncio.to_thread(_directory_size, target)
            if size != seen:
                seen, since = size, clock()
                progress(size)
            elif clock() - since > _STALL:
                raise self._error(f"nothing arrived for {_STALL:.0f} s")

    def _global(self) -> list[str]:
        options = ["--override-os", "linux", "--override-arch", self._architecture]
        home = self._environ.get("HOME") or "/nonexistent"
        configured = Path(self._environ.get("XDG_CONFIG_HOME") or Path(home) / ".config") / "containers/policy.json"
        if not (configured.exists() or Path("/etc/containers/policy.json").exists()):
            options.append("--insecure-policy")
        return options

    def _source(self, digest: str) -> str:
        reference = self._reference
        return f"docker://{reference.name}@{digest}" if digest else f"docker://{reference.name}:{reference.tag}"

    def _insecure(self) -> bool:
        allowed = self._environ.get("SOLOVIRT_INSECURE_REGISTRIES", "")
        return self._reference.loopback or self._reference.registry in (name.strip() for name in allowed.split(","))

    def _authfile(self, option: str) -> list[str]:
        return [option, str(self._auth)] if self._auth is not None else []

    def _environment(self) -> dict[str, str]:
        passed = {key: self._environ[key] for key in (*_PASSED, *_PROXIES) if key in self._environ}
        return {**passed, "TMPDIR": str(self._directory)}

    def _check(self, done: tools.Completed) -> None:
        if done.returncode == 0:
            return
        if "no space left on device" in done.stderr.lower():
            raise files.storage_full(self._directory, f"pulling image {self._reference.text}")
        fatal = _FATAL.findall(done.stderr)
        raise self._error(fatal[-1].replace('\\"', '"') if fatal else done.stderr or f"exit code {done.returncode}")

    def _error(self, why: str) -> HostError:
        text = printable(why.strip(), 500)
        hint = next((hint for word, hint in _HINTS if word.lower() in text.lower()), "")
        return HostError(
            f'failed to pull image "{self._reference.text}": {text}',
            reason="ErrImagePull",
            field=self._field,
            hint=hint,
        )


def _directory_size(directory: Path) -> int:
    total = 0
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(directory):
            with contextlib.suppress(FileNotFoundError):
                total += entry.stat(follow_symlinks=False).st_size
    return total
