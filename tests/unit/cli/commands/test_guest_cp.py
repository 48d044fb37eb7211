from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from solovirt.cli.commands import guest_cp
from solovirt.cli.context import Context
from solovirt.kit import frames
from solovirt.kit.errors import BadRequest, SolovirtError
from tests.support.apiserver import Answer, FakeApi, Request
from tests.unit.cli.conftest import Run

PATH = "/apis/subresources.solovirt.io/v1/namespaces/default/virtualmachineinstances/a/files"
CONTENT = b'"content"'
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def context(api: FakeApi, run: Run) -> Context:
    return Context()


def served(api: FakeApi, body: bytes = CONTENT, **headers: str) -> None:
    sent = {f"x-solovirt-{name}": value for name, value in headers.items()}
    api.on("GET", PATH, Answer(body, headers=sent))


def written(api: FakeApi, **more: object) -> None:
    def answer(request: Request) -> Answer:
        return Answer({"size": 9, "sha256": SHA, "verified": "sha256", **more})  # type: ignore[dict-item]

    api.on("PUT", PATH, answer)


def test_up(api: FakeApi, context: Context, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f"
    file.write_bytes(CONTENT)
    file.chmod(0o4751)
    written(api)
    guest_cp.upload(context, str(file), "a", "/etc/x", None)
    guest_cp.upload(context, str(file), "a", "/etc/", 0o600)
    assert [request.query for request in api.requests] == [
        {"path": "/etc/x", "mode": "0751"},
        {"path": "/etc/f", "mode": "0600"},
    ]
    assert api.requests[0].body == "content"
    assert "9 bytes, SHA-256 compared" in capfd.readouterr().err


def test_what_arrived_differently(api: FakeApi, context: Context, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'"other"')
    written(api)
    with pytest.raises(SolovirtError, match="not what was sent"):
        guest_cp.upload(context, str(tmp_path / "f"), "a", "/etc/x", None)


def test_a_guest_without_a_shell_is_told(
    api: FakeApi, context: Context, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    written(api, verified="size", inPlace=True)
    guest_cp.upload(context, str(tmp_path / "f"), "a", "C:\\x", None)
    said = capfd.readouterr().err
    assert "size compared" in said and "in place" in said


@pytest.mark.parametrize("kind", ["directory", "fifo", "missing"])
def test_what_cannot_be_sent(api: FakeApi, context: Context, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(SolovirtError, match={"missing": "No such file"}.get(kind, "is a directory|no regular file")):
        guest_cp.upload(context, str(path), "a", "/x", None)
    assert api.requests == []


def test_down(api: FakeApi, context: Context, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    served(api, size="9", sha256=SHA, mode="4751")
    guest_cp.download(context, "a", "/etc/x", str(tmp_path), None)
    guest_cp.download(context, "a", "/etc/x", str(tmp_path / "y"), 0o600)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("x", "y")] == [0o751, 0o600]
    assert "SHA-256 compared" in capfd.readouterr().err


def test_links_at_the_destination_are_replaced_not_followed(api: FakeApi, context: Context, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"kept")
    (tmp_path / "x").symlink_to(tmp_path / "target")
    served(api)
    guest_cp.download(context, "a", "/etc/x", str(tmp_path / "x"), None)
    assert (tmp_path / "target").read_bytes() == b"kept"
    assert (tmp_path / "x").read_bytes() == CONTENT and not (tmp_path / "x").is_symlink()


def test_a_file_that_changed_leaves_what_was_here(api: FakeApi, context: Context, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    served(api, size="9", sha256="0" * 64)
    with pytest.raises(SolovirtError, match="changed while it was copied"):
        guest_cp.download(context, "a", "/etc/x", str(tmp_path / "x"), None)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x": b"old"}


def test_a_copy_that_breaks_off_leaves_what_was_here(api: FakeApi, context: Context, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    said = b'{"status": "Failure", "reason": "FileChanged", "message": "became shorter", "code": 500}'
    body = frames.frame(CONTENT[:4]) + frames.last_word(said)
    api.on("GET", PATH, Answer(body, headers={"content-type": frames.MEDIA_TYPE, "x-solovirt-size": "9"}))
    with pytest.raises(SolovirtError, match="became shorter"):
        guest_cp.download(context, "a", "/etc/x", str(tmp_path / "x"), None)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"x": b"old"}


def test_less_than_was_announced(api: FakeApi, context: Context, tmp_path: Path) -> None:
    body = frames.frame(CONTENT[:4]) + frames.last_word(b'{"status": "Success"}')
    api.on("GET", PATH, Answer(body, headers={"content-type": frames.MEDIA_TYPE, "x-solovirt-size": "9"}))
    with pytest.raises(SolovirtError, match="changed while it was copied"):
        guest_cp.download(context, "a", "/etc/x", str(tmp_path / "x"), None)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(api: FakeApi, context: Context, tmp_path: Path) -> None:
    served(api)
    with pytest.raises(SolovirtError, match="No such file or directory"):
        guest_cp.download(context, "a", "/etc/x", str(tmp_path / "no" / "x"), None)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a:/x", ("a", "/x")),
        ("a:C:\\x", ("a", "C:\\x")),
        ("./a:b", ("", "./a:b")),
        ("/a:b", ("", "/a:b")),
        ("x", ("", "x")),
    ],
)
def test_places(text: str, place: tuple[str, str]) -> None:
    assert guest_cp._place(text) == place


@pytest.mark.parametrize("text", [":x", "a:"])
def test_places_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest, match="neither FILE nor NAME:FILE"):
        guest_cp._place(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", "y"], "one of both must be in the guest"),
        (["a:/x", "b:/y"], "one of both must be in the guest"),
        (["--mode", "9", "x", "a:/y"], "octal digits"),
    ],
)
def test_wrong_calls(run: Run, words: list[str], said: str) -> None:
    result = run("guest", "cp", *words)
    assert (result.code, said in result.err) == (1, True), result.err
