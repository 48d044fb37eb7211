"""Chains of block nodes: everything explicit, nothing guessed from a header."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.compile import blockdev, drives, render
from solovirt.host.model.bindings import DiskImage
from solovirt.kit.errors import HostError, Invalid
from solovirt.kit.json import JsonObject
from tests.unit.compile.helpers import context

BASE = DiskImage("/images/base.img", "raw", read_only=True, direct_io=True)
OVERLAY = DiskImage("/vm/a.qcow2", "qcow2", direct_io=True, backing=BASE)


def chain(image: DiskImage, disk: str = "disk: {bus: virtio}", name: str = "a") -> list[JsonObject]:
    text = (
        f"domain: {{devices: {{disks: [{{name: {name}, {disk}}}]}}}}\n"
        f"volumes: [{{name: {name}, emptyDisk: {{capacity: 1Gi}}}}]"
    )
    ctx = context(text, volumes={name: image})
    return [render.arguments(node) for node in blockdev.chain(drives.resolve(ctx, 0))]


def test_an_overlay_on_its_image() -> None:
    direct = {"direct": True, "no-flush": False}
    assert chain(OVERLAY) == [
        {"driver": "file", "filename": "/images/base.img", "node-name": "a-1-storage", "read-only": True,
         "cache": direct},
        {"driver": "raw", "node-name": "a-1-format", "read-only": True, "cache": direct, "file": "a-1-storage"},
        {"driver": "file", "filename": "/vm/a.qcow2", "node-name": "a-0-storage", "read-only": False,
         "cache": direct, "discard": "unmap"},
        {"driver": "qcow2", "node-name": "a-0-format", "read-only": False, "cache": direct, "discard": "unmap",
         "file": "a-0-storage", "backing": "a-1-format"},
    ]  # fmt: skip


def test_a_backing_file_named_in_a_header_is_not_followed() -> None:
    top = chain(DiskImage("/vm/a.qcow2", "qcow2", direct_io=True))[-1]
    assert top["backing"] is None
    assert "backing" not in chain(DiskImage("/vm/a", "raw", direct_io=True))[-1]


def test_read_only_disks_do_not_discard() -> None:
    for node in chain(OVERLAY, "disk: {bus: virtio, readonly: true}"):
        assert node["read-only"] is True and "discard" not in node


def test_block_devices_use_native_io_without_cache() -> None:
    device = DiskImage("/dev/vg/lv", "raw", block_device=True, direct_io=True)
    bottom = chain(device)[0]
    assert (bottom["driver"], bottom["aio"]) == ("host_device", "native")
    assert "aio" not in chain(device, "disk: {bus: virtio}, cache: writeback")[0]


@pytest.mark.parametrize("mode", drives.IO_MODES)
def test_io_modes(mode: str) -> None:
    nodes = chain(OVERLAY, f"disk: {{bus: virtio}}, io: {mode}")
    assert [node.get("aio") for node in nodes] == [None, None, mode, None]


def test_impossible_io_modes() -> None:
    with pytest.raises(Invalid, match='io "native" needs cache "none"'):
        chain(OVERLAY, "disk: {bus: virtio}, io: native, cache: writethrough")
    with pytest.raises(Invalid, match='io mode "io_uring" is unknown'):
        chain(OVERLAY, "disk: {bus: virtio}, io: io_uring")


def test_unknown_formats() -> None:
    with pytest.raises(HostError, match="unknown format"):
        chain(DiskImage("/x", "vmdk"))


@settings(max_examples=60, deadline=None)
@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True), st.integers(0, 99))
def test_node_names_are_what_qemu_takes(volume: str, level: int) -> None:
    for name in (blockdev.node_name(volume, level), blockdev.node_name(volume, level)[:-6] + "storage"):
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,30}", name)


def test_long_names_that_begin_alike_differ() -> None:
    assert blockdev.node_name("a" * 40 + "1") != blockdev.node_name("a" * 40 + "2")
    assert blockdev.node_name("short") == "short-0-format"
