"""The disk of a downwardMetrics volume: 256 KiB, a header and an XML document, as vhostmd writes it. Blocks.

Source: KubeVirt pkg/downwardmetrics, vhostmd's vhostmd.c. The guest reads it with vm-dump-metrics. Knows nothing of
VMs: who calls brings the numbers.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

SIZE = 256 << 10
NAME = "vhostmd0"
_HEADER = struct.Struct(">4siii")
_SIGNATURE = b"mvbd"
_MOST = SIZE - 24


class Metric(msgspec.Struct, frozen=True):
    """``value`` decides the type that the guest is told: string, int64 or real64."""

    context: Literal["host", "vm"]
    name: str
    value: str | int | float
    unit: str = ""


def document(metrics: Sequence[Metric]) -> bytes:
    """The XML of ``metrics``."""
    # Every compile imports this module, and few machines have such a disk.
    from html import escape

    lines = ["<metrics>"]
    for metric in metrics:
        unit = f' unit="{escape(metric.unit)}"' if metric.unit else ""
        lines += [
            f'  <metric type="{_kind(metric.value)}" context="{metric.context}"{unit}>',
            f"    <name>{escape(metric.name, quote=False)}</name>",
            f"    <value>{escape(_text(metric.value), quote=False)}</value>",
            "  </metric>",
        ]
    return "\n".join([*lines, "</metrics>", ""]).encode()


def create(path: Path, metrics: Sequence[Metric]) -> None:
    """A new disk; one that is there already is written again. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, SIZE)
        _write(descriptor, document(metrics))
    finally:
        os.close(descriptor)


def refresh(path: Path, metrics: Sequence[Metric]) -> None:
    """Writes new numbers into a disk that a guest may be reading. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _write(descriptor, document(metrics))
    finally:
        os.close(descriptor)


def _write(descriptor: int, body: bytes) -> None:
    """The header's flag says meanwhile that the body is being written; a guest tries again then.

    Nothing is synced: QEMU sees what was written in this order, and figures are worth nothing after a power loss.
    """
    if len(body) > _MOST:
        raise ValueError(f"metrics of {len(body)} bytes do not fit a disk of {SIZE}")
    checksum = sum(body)
    os.pwrite(descriptor, _HEADER.pack(_SIGNATURE, 1, checksum, len(body)), 0)
    os.pwrite(descriptor, body, _HEADER.size)
    os.pwrite(descriptor, _HEADER.pack(_SIGNATURE, 0, checksum, len(body)), 0)


def _kind(value: str | int | float) -> str:
    if isinstance(value, str):
        return "string"
    return "int64" if isinstance(value, int) else "real64"


def _text(value: str | int | float) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)
