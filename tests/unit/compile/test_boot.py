"""bootindex."""

from __future__ import annotations

import pytest

from solovirt.compile import boot
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context

TWO = """
domain:
  devices:
    disks:
      - {{name: a, {a}}}
      - {{name: b, {b}}}
    interfaces:
      - {{name: n, masquerade: {{}}, {n}}}
"""


def indexes(a: str = "disk: {}", b: str = "disk: {}", n: str = "model: virtio") -> list[object]:
    ctx = context(TWO.format(a=a, b=b, n=n))
    disks = [boot.disk_index(ctx, disk, f"domain.devices.disks[{i}]") for i, disk in enumerate(ctx.devices.disks)]
    nic = boot.nic_index(ctx, ctx.devices.interfaces[0].boot_order, "domain.devices.interfaces[0]")
    return [found[0].value if found else None for found in [*disks, nic]]


def test_the_first_disk_boots_by_default() -> None:
    assert indexes() == [1, None, None]
    assert indexes(a="cdrom: {}") == [None, 1, None]


def test_only_cdroms() -> None:
    assert indexes(a="cdrom: {}", b="cdrom: {}") == [1, None, None]


def test_any_boot_order_replaces_the_default() -> None:
    assert indexes(b="disk: {}, bootOrder: 3") == [None, 3, None]
    assert indexes(n="bootOrder: 2") == [None, None, 2]


@pytest.mark.parametrize("order", [0, -1])
def test_boot_order_starts_at_one(order: int) -> None:
    with pytest.raises(Invalid, match="at least 1"):
        indexes(a=f"disk: {{}}, bootOrder: {order}")


def test_boot_orders_differ() -> None:
    with pytest.raises(Invalid, match=r"boot order 1 is also that of domain.devices.interfaces\[0\]"):
        indexes(a="disk: {}, bootOrder: 1", n="bootOrder: 1")
