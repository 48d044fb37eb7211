from __future__ import annotations

import os
from pathlib import Path

import pytest

from solovirt.kit import nolinks
from tests.support import descriptors


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path.resolve()
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("x")
    (root / "link").symlink_to(root / "a")
    return root


def test_a_plain_path(tree: Path) -> None:
    descriptor = nolinks.open_path(f"{tree}/a/b/file")
    try:
        assert os.path.samestat(os.fstat(descriptor), (tree / "a" / "b" / "file").stat())
    finally:
        os.close(descriptor)


def test_a_link_on_the_way_is_named(tree: Path) -> None:
    before = descriptors.count()
    for path, place in (("link/b/file", "link"), ("a/none/file", "a/none"), ("a/b/file/x", "a/b/file")):
        with pytest.raises(OSError) as caught:
            nolinks.open_path(f"{tree}/{path}")
        assert caught.value.filename == f"{tree}/{place}"
    assert descriptors.count() == before, "nothing stays open"


def test_a_link_at_the_end_is_the_link(tree: Path) -> None:
    descriptor = nolinks.open_path(f"{tree}/link")
    try:
        assert os.readlink(f"/proc/self/fd/{descriptor}") == f"{tree}/link"
    finally:
        os.close(descriptor)
