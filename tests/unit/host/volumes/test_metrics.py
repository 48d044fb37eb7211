"""Disks of downwardMetrics, read as vm-dump-metrics reads them."""

from __future__ import annotations

import stat
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.host.volumes import metrics
from solovirt.host.volumes.metrics import Metric


def body_of(path: Path) -> bytes:
    data = path.read_bytes()
    signature, flag, checksum, length = struct.unpack(">4siii", data[:16])
    assert (signature, flag, len(data)) == (b"mvbd", 0, 256 << 10)
    body = data[16 : 16 + length]
    assert sum(body) == checksum
    return body


def test_a_disk(tmp_path: Path) -> None:
    path = tmp_path / "v"
    metrics.create(path, [Metric("host", "HostName", "<me>"), Metric("vm", "TotalCPUTime", 1.5, "s")])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    root = ElementTree.fromstring(body_of(path))
    found = [(m.attrib, m.findtext("name"), m.findtext("value")) for m in root.iter("metric")]
    assert found == [
        ({"type": "string", "context": "host"}, "HostName", "<me>"),
        ({"type": "real64", "context": "vm", "unit": "s"}, "TotalCPUTime", "1.500000"),
    ]


def test_new_numbers_replace_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "v"
    metrics.create(path, [Metric("host", "Long", "x" * 1000)])
    metrics.refresh(path, [Metric("host", "Time", 7, "s")])
    assert b"Long" not in body_of(path) and b"<value>7</value>" in body_of(path)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        metrics.create(tmp_path / "v", [Metric("host", "Long", "x" * metrics.SIZE)])


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"secret")
    (tmp_path / "v").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic link"):
        metrics.create(tmp_path / "v", [])
    assert (tmp_path / "target").read_bytes() == b"secret"


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=["C"]), max_size=20))
def test_any_text_is_well_formed(text: str) -> None:
    root = ElementTree.fromstring(metrics.document([Metric("vm", text, text, text)]))
    assert root.findtext("metric/value") == text
