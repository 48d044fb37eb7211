"""QEMU's replies as figures; the first ones are QEMU 7.2's own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.hypervisor import qmpfigures
from solovirt.kit.json import Json, JsonObject

STATS: JsonObject = {
    "flush_total_time_ns": 2_000_000_000,
    "wr_total_time_ns": 0,
    "wr_bytes": 4096,
    "account_invalid": True,
    "rd_total_time_ns": 259354,
    "flush_operations": 2,
    "wr_operations": 1,
    "rd_bytes": 8704,
    "rd_operations": 3,
}
ROOT: JsonObject = {
    "device": "",
    "stats": STATS,
    "node-name": "root-0-format",
    "qdev": "/machine/peripheral/ua-root/virtio-backend",
}
GUEST: JsonObject = {
    "stats": {
        "stat-swap-out": (1 << 64) - 1,
        "stat-available-memory": 124891136,
        "stat-free-memory": 120012800,
        "stat-minor-faults": 1575,
        "stat-major-faults": 0,
        "stat-total-memory": 160591872,
        "stat-disk-caches": 12627968,
    },
    "last-update": 1795380798,
}


def test_a_disk() -> None:
    (disk,) = qmpfigures.disks([ROOT])
    assert (disk.name, disk.reads, disk.read_bytes, disk.writes, disk.write_bytes) == ("root", 3, 8704, 1, 4096)
    assert disk.read_seconds == pytest.approx(0.000259354)
    assert (disk.flushes, disk.flush_seconds) == (2, 2)


@pytest.mark.parametrize(
    ("qdev", "name"),
    [
        ("/machine/peripheral/ua-root/virtio-backend", "root"),
        ("/machine/peripheral/ua-cd", "cd"),
        ("/machine/peripheral/usb-disk1", "usb-disk1"),
        ("ua-scsi", "scsi"),
        ("/machine/unattached/device[3]", ""),
        ("", ""),
        ("/machine/peripheral/ua-a\x1b[2Jb", "a[2Jb"),
    ],
)
def test_names_of_drives(qdev: str, name: str) -> None:
    assert qmpfigures.drive_name(qdev) == name


def test_nodes_that_are_no_device_are_left_out() -> None:
    assert qmpfigures.disks([{**ROOT, "qdev": ""}, {"stats": STATS}]) == ()


def test_memory_of_a_guest_with_a_driver() -> None:
    found = qmpfigures.memory({"base-memory": 100, "plugged-memory": 20}, {"actual": 90}, GUEST)
    assert found is not None
    assert (found.domain, found.balloon) == (120, 90)
    guest = found.guest
    assert guest is not None
    assert (guest.total, guest.available, guest.major_faults) == (160591872, 124891136, 0)
    assert guest.swap_out is None, "-1 is what the guest does not tell"
    assert guest.swap_in is None


def test_memory_without_balloon_or_driver() -> None:
    alone = qmpfigures.memory({"base-memory": 100}, None, None)
    assert alone is not None
    assert (alone.domain, alone.balloon, alone.guest) == (100, None, None)
    silent = qmpfigures.memory({"base-memory": 100}, {"actual": 100}, {"stats": {}, "last-update": 0})
    assert silent is not None
    assert silent.guest is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*STATS, "qdev", "stats"]), inner),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(JSON, JSON, JSON)
def test_no_reply_is_an_error(first: Json, second: Json, third: Json) -> None:
    qmpfigures.disks(first)
    qmpfigures.memory(first, second, third)


def test_numbers_without_end_are_cut() -> None:
    (disk,) = qmpfigures.disks([{"qdev": "ua-d", "stats": {"rd_bytes": 10**300, "wr_bytes": -1}}])
    assert (disk.read_bytes, disk.write_bytes) == (1 << 63, 0)
    found = qmpfigures.memory({"base-memory": 10**300}, {"actual": 10**300}, None)
    assert found is not None and (found.domain, found.balloon) == (1 << 63, None)
