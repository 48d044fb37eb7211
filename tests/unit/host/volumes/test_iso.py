from __future__ import annotations

import io
import os
from pathlib import Path

import pycdlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host.volumes import iso

KEYS = st.from_regex(r"[-._a-zA-Z0-9]{1,240}", fullmatch=True).filter(lambda name: name.strip("."))
"""Kubernetes' ConfigMap keys."""


def read(image: bytes, path: str, *, joliet: bool = False) -> bytes:
    opened = pycdlib.PyCdlib()
    opened.open_fp(io.BytesIO(image))
    out = io.BytesIO()
    opened.get_file_from_iso_fp(out, **{"joliet_path" if joliet else "rr_path": path})
    opened.close()
    return out.getvalue()


@pytest.mark.parametrize("label", ["cidata", "config-2", "cfgdata", "A" * 32])
def test_label_and_both_kinds_of_names(label: str) -> None:
    image = iso.build(label, {"meta-data": b"{}", "user-data": b"#cloud-config\n", "empty": b""})
    assert image[32769:32774] == b"CD001"
    assert image[32808:32840].decode().rstrip() == label
    for joliet in (False, True):
        assert read(image, "/user-data", joliet=joliet) == b"#cloud-config\n"
        assert read(image, "/empty", joliet=joliet) == b""


def test_directories() -> None:
    content = {"openstack/latest/user_data": b"1", "openstack/latest/meta_data.json": b"2", "openstack/x": b"3"}
    image = iso.build("config-2", content)
    for joliet in (False, True):
        assert {name: read(image, f"/{name}", joliet=joliet) for name in content} == content


def test_empty() -> None:
    assert iso.build("cfgdata", {})[32769:32774] == b"CD001"


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(KEYS, st.binary(max_size=50), max_size=6))
def test_any_config_map_key_keeps_its_name(content: dict[str, bytes]) -> None:
    image = iso.build("cfgdata", content)
    assert {name: read(image, f"/{name}") for name in content} == content


def test_long_names_differ_in_joliet_too() -> None:
    long = {"a" * 100 + tail: tail.encode() for tail in "xyz"}
    image = iso.build("cfgdata", long)
    assert {name: read(image, f"/{name}") for name in long} == long
    assert read(image, "/" + "a" * 64, joliet=True) == b"x"
    assert read(image, "/" + "a" * 58 + "~1", joliet=True) == b"y"


@pytest.mark.parametrize("name", ["..", "a/../b", "/abs", "a//b", "", "x" * 300, "new\nline"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a file name"):
        iso.build("cfgdata", {name: b""})


@pytest.mark.parametrize("label", ["", "x" * 33, "ü", "a\nb"])
def test_labels_that_cannot_be(label: str) -> None:
    with pytest.raises(ValueError, match="volume label"):
        iso.build(label, {})


def test_write_is_private_and_replaces(tmp_path: Path) -> None:
    iso.write(tmp_path / "s.iso", "cidata", {"user-data": b"1"})
    iso.write(tmp_path / "s.iso", "cidata", {"user-data": b"2"})
    assert read((tmp_path / "s.iso").read_bytes(), "/user-data") == b"2"
    assert (tmp_path / "s.iso").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["s.iso"]


def test_sizes_are_whole_blocks(tmp_path: Path) -> None:
    for size in (1, 5000, 9000):
        iso.write(tmp_path / "seed", "cidata", {"user-data": b"x" * size})
        assert (tmp_path / "seed").stat().st_size % 4096 == 0
