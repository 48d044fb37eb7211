"""vsock numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host import vsock
from solovirt.kit.errors import HostError


@settings(max_examples=30)
@given(st.lists(st.text(max_size=8), max_size=20))
def test_numbers_are_unique_and_never_reserved(owners: list[str]) -> None:
    taken: set[int] = set()
    for owner in owners:
        cid = vsock.allocate(owner, taken)
        assert vsock.FIRST_CID <= cid < 2**31 and cid not in taken
        taken.add(cid)


def test_the_same_for_one_vmi() -> None:
    first = vsock.allocate("uid", ())
    assert vsock.allocate("uid", ()) == first
    assert vsock.allocate("uid", {first}) == first + 1


def test_the_kernel_must_have_it(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="modprobe vhost_vsock") as caught:
        vsock.require(tmp_path / "vhost-vsock")
    assert caught.value.reason == "VsockMissing"
    (tmp_path / "vhost-vsock").touch()
    vsock.require(tmp_path / "vhost-vsock")
