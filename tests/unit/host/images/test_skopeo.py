from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from solovirt.host.images import skopeo, tools
from solovirt.host.images.credentials import from_login
from solovirt.host.images.reference import parse
from solovirt.host.images.skopeo import Skopeo
from solovirt.host.images.tools import Completed
from solovirt.kit.errors import HostError

DIGEST = "sha256:" + "a" * 64


class Recorder:
    """In the place of ``tools.run``."""

    def __init__(self, answer: Completed) -> None:
        self.answer = answer
        self.argv: list[str] = []
        self.environ: dict[str, str] = {}

    async def __call__(self, tool: str, arguments: Sequence[str], **options: object) -> Completed:
        self.argv = [tool, *arguments]
        environ = options["environ"]
        assert isinstance(environ, dict)
        self.environ = environ
        return self.answer


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    made = Recorder(Completed(0, b"{}", ""))
    monkeypatch.setattr(tools, "run", made)
    return made


async def inspect(tmp_path: Path, reference: str, environ: dict[str, str] | None = None) -> bytes:
    return await Skopeo(parse(reference), tmp_path, None, environ=environ or {}, field="f").raw_manifest("")


async def test_source_and_platform(recorder: Recorder, tmp_path: Path) -> None:
    assert await inspect(tmp_path, "debian:12") == b"{}"
    assert recorder.argv[:5] == ["skopeo", "--override-os", "linux", "--override-arch", "amd64"]
    assert recorder.argv[-1] == "docker://docker.io/library/debian:12"
    await inspect(tmp_path, f"quay.io/a:1@{DIGEST}")
    assert recorder.argv[-1] == f"docker://quay.io/a@{DIGEST}"


@pytest.mark.parametrize(
    ("reference", "environ", "insecure"),
    [
        ("localhost:5000/a", {}, True),
        ("[::1]:5000/a", {}, True),
        ("quay.io/a", {}, False),
        ("reg.lan:5000/a", {"SOLOVIRT_INSECURE_REGISTRIES": "x, reg.lan:5000"}, True),
        ("reg.lan/a", {"SOLOVIRT_INSECURE_REGISTRIES": "reg.lan:5000"}, False),
    ],
)
async def test_tls_is_left_out_for_loopback_and_named_registries_only(
    recorder: Recorder, tmp_path: Path, reference: str, environ: dict[str, str], insecure: bool
) -> None:
    await inspect(tmp_path, reference, environ)
    assert ("--tls-verify=false" in recorder.argv) is insecure
    await Skopeo(parse(reference), tmp_path, None, environ=environ).copy(DIGEST, tmp_path / "d", lambda size: None)
    assert ("--src-tls-verify=false" in recorder.argv) is insecure


async def test_credentials_go_through_a_private_file(recorder: Recorder, tmp_path: Path) -> None:
    client = Skopeo(parse("quay.io/a"), tmp_path, from_login("quay.io", b"joe", b"hunter2"), environ={"SECRET": "x"})
    await client.raw_manifest("")
    path = Path(recorder.argv[recorder.argv.index("--authfile") + 1])
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"auths" in path.read_bytes()
    assert not any("hunter2" in word for word in recorder.argv)
    assert "SECRET" not in recorder.environ
    assert recorder.environ["TMPDIR"] == str(tmp_path)


@pytest.mark.parametrize(
    ("stderr", "message", "hint"),
    [
        (
            'time="x" level=fatal msg="Error reading manifest 9 in quay.io/a: manifest unknown: \\"x\\""',
            'Error reading manifest 9 in quay.io/a: manifest unknown: "x"',
            "name and tag",
        ),
        ('level=fatal msg="unauthorized: authentication required"', "unauthorized", "imagePullSecret"),
        ('level=fatal msg="dial tcp: connect: connection refused"', "connection refused", "is the registry running"),
        ('level=fatal msg="http: server gave HTTP response to HTTPS client"', "HTTP response", "INSECURE"),
        ("\x1b[31mboom\x1b[0m\n", "boom", ""),
        ("", "exit code 1", ""),
    ],
)
async def test_failures_are_one_clear_line(
    recorder: Recorder, tmp_path: Path, stderr: str, message: str, hint: str
) -> None:
    recorder.answer = Completed(1, b"", stderr)
    with pytest.raises(HostError) as caught:
        await inspect(tmp_path, "quay.io/a")
    assert caught.value.reason == "ErrImagePull"
    assert caught.value.message.startswith('failed to pull image "quay.io/a": ')
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.message.isprintable()
    assert caught.value.field == "f"


async def test_a_full_disk_is_no_pull_error(recorder: Recorder, tmp_path: Path) -> None:
    recorder.answer = Completed(1, b"", 'level=fatal msg="write /x: no space left on device"')
    with pytest.raises(HostError) as caught:
        await inspect(tmp_path, "quay.io/a")
    assert caught.value.reason == "StorageFull"


async def test_a_stalled_download_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    ended: list[str] = []

    async def hang(tool: str, arguments: Sequence[str], **options: Callable[[], None]) -> Completed:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(tool)
        return Completed(0, b"", "")

    monkeypatch.setattr(tools, "run", hang)
    monkeypatch.setattr(skopeo, "_STALL", 0.05)
    monkeypatch.setattr(skopeo, "_TICK", 0.01)
    with pytest.raises(HostError, match="nothing arrived"):
        await Skopeo(parse("quay.io/a"), tmp_path, None, environ={}).copy(DIGEST, tmp_path / "d", lambda size: None)
    assert ended == ["skopeo"]
