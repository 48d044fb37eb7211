from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host.images.inspect import Inspection, inspect
from solovirt.kit.errors import HostError
from tests.unit.host.images.fakes import MIB, qcow2, raw_disk


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_plain_qcow2(tmp_path: Path, version: int) -> None:
    found = inspect(put(tmp_path / "d", qcow2(version=version)))
    assert found == Inspection("qcow2", 64 * MIB, 4 << 16)


def test_raw_and_iso_are_raw(tmp_path: Path) -> None:
    assert inspect(put(tmp_path / "d", raw_disk())) == Inspection("raw", MIB, MIB)
    iso = bytearray(raw_disk(b"\0"))
    iso[32769:32774] = b"CD001"
    assert inspect(put(tmp_path / "i", bytes(iso))).format == "raw"


def test_dirty_and_known_features_are_fine(tmp_path: Path) -> None:
    assert inspect(put(tmp_path / "d", qcow2(features=0b11001))).format == "qcow2"


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (qcow2(backing=b"/etc/shadow"), "backing file (/etc/shadow)"),
        (qcow2(version=2, backing=b"/etc/shadow"), "backing file"),
        (qcow2(backing=b"json:{}"), "backing file"),
        (qcow2(extensions=[(0xE2792ACA, b"raw")]), "backing file"),
        (qcow2(features=0b100), "external data file"),
        (qcow2(extensions=[(0x44415441, b"/etc/shadow")]), "external data file"),
        (qcow2(features=0b10), "corrupt"),
        (qcow2(features=1 << 40), "unknown incompatible features"),
        (qcow2(encryption=1), "encrypted"),
        (qcow2(encryption=2), "encrypted"),
        (qcow2(extensions=[(0x0537BE77, bytes(16))]), "encrypted"),
        (qcow2(version=1), "version 1"),
        (qcow2(version=4), "version 4"),
        (qcow2(cluster_bits=40), "cluster size"),
        (qcow2(cluster_bits=3), "cluster size"),
        (qcow2(size=1 << 50), "does not match its tables"),
        (qcow2(size=1 << 43, l1_entries=1 << 30), "does not match its tables"),
        (qcow2(size=1 << 47, l1_entries=1 << 18), "more than 64.0 TiB"),
        (qcow2(refcount_clusters=0), "reference count"),
        (qcow2(refcount_clusters=1 << 30), "reference count"),
        (qcow2(snapshots=1 << 20), "snapshots"),
        (qcow2()[:40], "truncated"),
        (qcow2()[:80], "truncated"),
        (qcow2()[: 1 << 16], "outside the file"),
        (qcow2(extensions=[(0x12345678, b"x" * 70000)]), "extension"),
        (qcow2(extensions=[(0x12345678, b"")] * 100), "extensions"),
        (b"KDMV" + bytes(600), "VMDK"),
        (b"COWD" + bytes(600), "VMDK"),
        (b"# Disk DescriptorFile\nversion=1\n", "VMDK descriptor"),
        (b'# comment\n\n  version=1\nRW 1 FLAT "/etc/shadow" 0\n', "VMDK descriptor"),
        (b'\xef\xbb\xbf#x\r\nCreateType="monolithicFlat"\n', "VMDK descriptor"),
        (bytes(0x40) + b"\x7f\x10\xda\xbe" + bytes(512), "VDI"),
        (b"vhdxfile" + bytes(512), "VHDX"),
        (b"conectix" + bytes(504), "VHD"),
        (bytes(1024) + b"conectix" + bytes(504), "VHD"),
        (b"QED\0" + bytes(512), "QED"),
        (b"LUKS\xba\xbe" + bytes(512), "LUKS"),
        (b"\x1f\x8b\x08" + bytes(512), "gzip"),
        (b"\x7fELF" + bytes(512), "program"),
        (b"OOOM" + bytes(512), "COW"),
        (b"", "empty"),
    ],
)
def test_hostile_and_foreign_images_are_refused(tmp_path: Path, image: bytes, why: str) -> None:
    with pytest.raises(HostError) as caught:
        inspect(put(tmp_path / "d", image), name="/disk/x", field="f")
    assert caught.value.reason == "InvalidImage"
    assert why in caught.value.message
    assert "/disk/x" in caught.value.message
    assert caught.value.field == "f"


def test_own_overlays_show_their_backing_file(tmp_path: Path) -> None:
    image = qcow2(backing=b"/var/lib/base", extensions=[(0xE2792ACA, b"raw")])
    found = inspect(put(tmp_path / "d", image), allow_backing=True)
    assert (found.backing, found.backing_format) == ("/var/lib/base", "raw")


def test_virtual_size_is_limited(tmp_path: Path) -> None:
    path = put(tmp_path / "d", qcow2(size=64 * MIB))
    assert inspect(path, max_virtual_size=64 * MIB).virtual_size == 64 * MIB
    with pytest.raises(HostError, match="more than 63"):
        inspect(path, max_virtual_size=63 * MIB)


def test_links_and_pipes_are_not_opened(tmp_path: Path) -> None:
    put(tmp_path / "d", raw_disk())
    (tmp_path / "link").symlink_to(tmp_path / "d")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("link", "symbolic link"), ("pipe", "not a regular file"), ("none", "No such file")):
        with pytest.raises(HostError, match=why) as caught:
            inspect(tmp_path / name)
        assert caught.value.reason == "UnreadableFile"


def test_control_characters_of_a_hostile_name_do_not_reach_the_message(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        inspect(put(tmp_path / "d", qcow2(backing=b"\x1b[2J\xff\n" + b"x" * 500)))
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 200), change=st.binary(min_size=1, max_size=12))
def test_any_damage_to_a_header_is_an_answer_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, position: int, change: bytes
) -> None:
    image = bytearray(qcow2(backing=b"/x", extensions=[(0xE2792ACA, b"raw")]))
    image[position : position + len(change)] = change
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(bytes(image))
    try:
        found = inspect(path)
    except HostError as error:
        assert error.reason == "InvalidImage"
    else:
        assert not found.backing
