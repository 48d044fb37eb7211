from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host.volumes.templates import LARGEST, MOST, Templates, read


@settings(max_examples=30)
@given(
    length=st.integers(1, 200_000),
    pieces=st.lists(st.tuples(st.integers(0, 190_000), st.binary(min_size=1, max_size=5000)), max_size=4),
)
def test_what_is_written_again_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, length: int, pieces: list[tuple[int, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("t")
    with open(folder / "a", "wb") as file:
        file.truncate(length)
        for offset, data in pieces:
            file.seek(offset)
            file.write(data)
    template = read(folder / "a")
    assert template is not None
    template.write(folder / "b")
    assert (folder / "b").read_bytes() == (folder / "a").read_bytes()
    assert (folder / "b").stat().st_mode & 0o777 == 0o600


def test_holes_cost_nothing(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        file.truncate(1 << 40)
        file.write(b"head")
    template = read(tmp_path / "a")
    assert template is not None
    assert sum(len(data) for _, data in template.blocks) == 4096
    template.write(tmp_path / "b")
    assert (tmp_path / "b").stat().st_blocks * 512 <= 8192


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    os.symlink(tmp_path / "a", tmp_path / "link")
    template = read(tmp_path / "a")
    assert template is not None
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            template.write(tmp_path / name)


def test_large_ones_are_not_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(LARGEST + 5000))
    templates = Templates()
    templates.keep(("a",), tmp_path / "a")
    assert templates.get(("a",)) is None


def test_the_least_used_goes_first(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    templates = Templates()
    for number in range(MOST):
        templates.keep((str(number),), tmp_path / "a")
    assert templates.get(("0",)) is not None
    templates.keep(("new",), tmp_path / "a")
    assert templates.get(("0",)) is not None
    assert templates.get(("1",)) is None
