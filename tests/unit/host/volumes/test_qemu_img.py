from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solovirt.host.images.tools import Completed
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes import qemu_img
from solovirt.kit.errors import HostError
from tests.unit.host.volumes.fakes import QemuImg, fake_qemu_img

KEYS = st.from_regex(r"[a-z][a-z_]{0,5}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\0"), min_size=1)


@pytest.fixture
def img(monkeypatch: pytest.MonkeyPatch) -> QemuImg:
    return fake_qemu_img(monkeypatch)


def parse_options(text: str) -> dict[str, str]:
    """QEMU's own rule (util/keyval, qemu-option.c get_opt_value): a comma ends a value unless doubled."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        key, _, rest = text[position:].partition("=")
        position = len(text) - len(rest)
        value = ""
        while position < len(text):
            if text[position] == ",":
                if text[position + 1 : position + 2] != ",":
                    break
                position += 1
            value += text[position]
            position += 1
        found[key] = value
        position += 1
    return found


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_options_come_out_as_they_went_in(values: dict[str, str]) -> None:
    assert parse_options(qemu_img.options(values)) == values


@pytest.mark.parametrize("values", [{"a,b": "x"}, {"": "x"}, {"a=b": "x"}, {"a": "x\0"}])
def test_what_cannot_be_an_option(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="cannot be an option"):
        qemu_img.options(values)


async def test_create_says_every_format(img: QemuImg, tmp_path: Path) -> None:
    backing = DiskImage(path="/images/a,b", format="raw", size=1000)
    (tmp_path / "d.qcow2.partial").symlink_to("/etc/shadow")
    await qemu_img.create(tmp_path / "d.qcow2", 1000, backing=backing)
    assert img.runs[0] == [
        *("create", "-q", "-f", "qcow2", "-u"),
        *("-o", "compat=1.1,backing_file=/images/a,,b,backing_fmt=raw"),
        *(f"{tmp_path}/d.qcow2.partial", "1024"),
    ]
    assert os.listdir(tmp_path) == ["d.qcow2"]
    assert not (tmp_path / "d.qcow2").is_symlink()


async def test_create_publishes_whole_files_and_replaces_nothing(img: QemuImg, tmp_path: Path) -> None:
    await qemu_img.create(tmp_path / "d", 512)
    before = (tmp_path / "d").read_bytes()
    await qemu_img.create(tmp_path / "d", 1024, durable=False)
    assert (tmp_path / "d").read_bytes() == before
    assert os.listdir(tmp_path) == ["d"]
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("qemu-img: x: No space left on device", "StorageFull"),
        ('qemu-img: Could not open: Failed to get "write" lock', "VolumeInUse"),
        ("qemu-img: \x1b[1mbad", "QemuImgFailed"),
        ("", "QemuImgFailed"),
    ],
)
async def test_failures(img: QemuImg, tmp_path: Path, stderr: str, reason: str) -> None:
    img.answer = Completed(1, b"", stderr)
    (tmp_path / "d").touch()
    with pytest.raises(HostError) as caught:
        await qemu_img.resize(tmp_path / "d", "qcow2", 1024)
    assert caught.value.reason == reason
    assert caught.value.message.isprintable()
    with pytest.raises(HostError):
        await qemu_img.create(tmp_path / "e", 1024)
    assert os.listdir(tmp_path) == ["d"]


async def test_convert_hands_over_descriptors_only(img: QemuImg, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"x" * 512)
    seen: list[float] = []
    await qemu_img.convert(tmp_path / "in", "raw", tmp_path / "out", seen.append)
    words = img.runs[0]
    assert words[:6] == ["convert", "-p", "-f", "raw", "-O", "qcow2"]
    assert all(word.startswith("/proc/self/fd/") for word in words[-2:])
    assert (tmp_path / "out").read_bytes().startswith(b"QFI")
    assert seen == [1.0]
    with pytest.raises(FileExistsError):
        await qemu_img.convert(tmp_path / "in", "raw", tmp_path / "out")


async def test_resize_hands_over_a_descriptor_only(img: QemuImg, tmp_path: Path) -> None:
    (tmp_path / "d").touch()
    await qemu_img.resize(tmp_path / "d", "qcow2", 1000)
    assert img.runs[0][:4] == ["resize", "-q", "-f", "qcow2"]
    assert img.runs[0][4].startswith("/proc/self/fd/") and img.runs[0][5] == "1024"
    (tmp_path / "link").symlink_to(tmp_path / "d")
    for name in ("link", "missing"):
        with pytest.raises(HostError):
            await qemu_img.resize(tmp_path / name, "qcow2", 1000)


async def test_only_absolute_paths(img: QemuImg) -> None:
    with pytest.raises(ValueError, match="not absolute"):
        await qemu_img.resize(Path("nbd:localhost"), "raw", 512)


async def test_the_same_once_more_needs_no_qemu_img(img: QemuImg, tmp_path: Path) -> None:
    backing = DiskImage(path="/images/a", format="qcow2", size=1000)
    for name in ("a", "b"):
        await qemu_img.create(tmp_path / name, 1000, backing=backing)
    await qemu_img.create(tmp_path / "c", 2000, backing=backing)
    assert len(img.runs) == 2
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
