"""bootindex: in which order firmware tries disks and NICs."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.compile.context import Context
from solovirt.compile.options import Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, manifest


def disk_index(ctx: Context, disk: Disk, path: str) -> list[Prop]:
    """The disk's ``bootOrder``. Where nothing has one, the first disk boots, or without disks the first CD-ROM."""
    if disk.boot_order is not None:
        return [_given(ctx, disk.boot_order, path)]
    if _orders(ctx) or disk is not _first(ctx.devices.disks):
        return []
    why = default("the first disk boots when no device has a bootOrder", f"{path}.bootOrder")
    return [Prop("bootindex", 1, why)]


def nic_index(ctx: Context, order: int | None, path: str) -> list[Prop]:
    return [] if order is None else [_given(ctx, order, path)]


def _given(ctx: Context, order: int, path: str) -> Prop:
    field = f"{path}.bootOrder"
    if order < 1:
        raise invalid(field, "must be at least 1")
    others = [other for other, given in _orders(ctx) if given == order and other != path]
    if others:
        text = f"boot order {order} is also that of {others[0]}"
        raise invalid(field, text, reason="FieldValueDuplicate")
    return Prop("bootindex", order, manifest(field, "place in the boot order"))


def _orders(ctx: Context) -> list[tuple[str, int]]:
    disks = [(f"domain.devices.disks[{i}]", disk.boot_order) for i, disk in enumerate(ctx.devices.disks)]
    nics = [(f"domain.devices.interfaces[{i}]", nic.boot_order) for i, nic in enumerate(ctx.devices.interfaces)]
    return [(path, order) for path, order in (*disks, *nics) if order is not None]


def _first(disks: list[Disk]) -> Disk | None:
    return next((disk for disk in disks if disk.cdrom is None), disks[0] if disks else None)
