from pathlib import Path

import msgspec
import pytest

from solovirt.host.cache import Cache, file_key


class Answer(msgspec.Struct, frozen=True):
    text: str
    numbers: tuple[int, ...] = ()


@pytest.fixture
def cache(tmp_path: Path) -> Cache[Answer]:
    return Cache(tmp_path / "deep" / "answer.json", Answer)


def test_a_kept_value_comes_back_under_its_key_only(cache: Cache[Answer]) -> None:
    cache.put({"a": 1}, Answer("x", (1, 2)))

    assert cache.get({"a": 1}) == Answer("x", (1, 2))
    assert cache.get({"a": 2}) is None


def test_nothing_was_kept(cache: Cache[Answer]) -> None:
    assert cache.get({}) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"key":{}}', b'{"key":{},"value":{"text":1}}', b"\xff\xfe"])
def test_a_damaged_file_is_a_miss_and_can_be_replaced(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "answer.json"
    file.write_bytes(damage)
    cache = Cache(file, Answer)

    assert cache.get({}) is None
    cache.put({}, Answer("new"))
    assert cache.get({}) == Answer("new")


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = Cache(tmp_path / "file" / "answer.json", Answer)

    cache.put({}, Answer("x"))

    assert cache.get({}) is None


def test_no_temporary_file_stays(tmp_path: Path, cache: Cache[Answer]) -> None:
    cache.put({}, Answer("x"))

    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["answer.json"]


def test_a_replaced_file_has_another_key(tmp_path: Path) -> None:
    file = tmp_path / "qemu"
    file.write_bytes(b"one")
    before = file_key(file)
    (tmp_path / "new").write_bytes(b"two")
    (tmp_path / "new").replace(file)

    assert file_key(file) != before
