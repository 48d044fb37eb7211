from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host import access
from solovirt.host.access import UidPool
from solovirt.host.images import tools
from solovirt.host.images.tools import Completed
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths

SMALL = UidPool(base=1000, count=4)


def test_uids_are_used_in_turn_so_that_a_freed_one_rests() -> None:
    assert SMALL.allocate(set()) == 1000
    assert SMALL.allocate({1000}, last=1000) == 1001
    assert SMALL.allocate(set(), last=1000) == 1001
    assert SMALL.allocate({1001}, last=1000) == 1002
    assert SMALL.allocate(set(), last=1003) == 1000
    assert SMALL.allocate(set(), last=7) == 1000
    with pytest.raises(HostError, match="all 4 user ids"):
        SMALL.allocate({1000, 1001, 1002, 1003})


@settings(max_examples=100)
@given(st.sets(st.integers(999, 1004)), st.integers(0, 1010))
def test_a_uid_is_never_given_twice(in_use: set[int], last: int) -> None:
    try:
        uid = SMALL.allocate(in_use, last=last)
    except HostError:
        assert {1000, 1001, 1002, 1003} <= in_use
    else:
        assert SMALL.holds(uid)
        assert uid not in in_use


def test_the_range_is_far_from_real_users_and_the_helper_outside_it() -> None:
    assert access.BASE >= 1_879_048_192
    assert access.BASE + access.COUNT < 2_147_483_647
    assert not access.POOL.holds(access.HELPER[0])


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """As root, with ``tools.run`` recorded: which file each descriptor is."""
    seen: list[list[str]] = []

    async def run(tool: str, arguments: Sequence[str], **options: object) -> Completed:
        shown = [os.readlink(word) if word.startswith("/proc/self/fd/") else word for word in arguments]
        seen.append([tool, *shown])
        return Completed(0, b"", "")

    monkeypatch.setattr(tools, "run", run)
    monkeypatch.setattr(access, "is_root", lambda: True)
    return seen


async def test_one_setfacl_for_all_files_of_a_mode(commands: list[list[str]], tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.touch()
    await access.grant(7, read=paths[:2], write=[paths[2], paths[2]])
    assert commands == [
        ["setfacl", "-m", "u:7:r", "--", str(paths[0]), str(paths[1])],
        ["setfacl", "-m", "u:7:rw", "--", str(paths[2])],
    ]
    commands.clear()
    await access.revoke(7, [*paths, tmp_path / "gone"])
    assert commands == [["setfacl", "-x", "u:7", "--", *map(str, paths)]]


async def test_links_and_odd_files_get_no_grant(commands: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "none"):
        with pytest.raises(HostError) as caught:
            await access.grant(7, write=[tmp_path / name])
        assert caught.value.reason == "AccessDenied"
    with pytest.raises(HostError, match="not a regular file"):
        await access.grant(7, read=[tmp_path])
    assert commands == []


async def test_nothing_at_all_without_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(access, "is_root", lambda: False)
    monkeypatch.setattr(tools, "run", None)
    missing = tmp_path / "none"
    await access.grant(7, read=[missing], write=[missing])
    await access.revoke(7, [missing])
    await access.revoke_stale([missing], ())
    await access.check_reachable(missing, 7, write=True)
    access.hand_over(missing, 7, 7)
    access.open_claim(missing)
    made = Paths(tmp_path / "state", tmp_path / "run")
    access.open_up(made)
    assert stat.S_IMODE(made.images.stat().st_mode) == 0o700


def test_named_users_of_an_acl(tmp_path: Path) -> None:
    assert access.granted(tmp_path / "none") == {}
    assert access.granted(tmp_path) == {}
