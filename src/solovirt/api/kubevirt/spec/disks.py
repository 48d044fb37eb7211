"""domain.devices.disks (KubeVirt api core/v1 schema.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import Model


class DiskTarget(Model):
    bus: str = ""
    readonly: bool | None = msgspec.field(default=None, name="readonly")
    pci_address: str = ""


class LunTarget(Model):
    """``reservation``: SCSI persistent reservations, through a helper."""

    bus: str = ""
    readonly: bool | None = msgspec.field(default=None, name="readonly")
    reservation: bool | None = None


class CDRomTarget(Model):
    bus: str = ""
    readonly: bool | None = msgspec.field(default=None, name="readonly")
    tray: str = ""


class CustomBlockSize(Model):
    """Bytes."""

    logical: int | None = None
    physical: int | None = None
    discard_granularity: int | None = None


class MatchVolume(Model):
    enabled: bool | None = None


class BlockSize(Model):
    custom: CustomBlockSize | None = None
    match_volume: MatchVolume | None = None


class Disk(Model):
    name: str
    disk: DiskTarget | None = None
    lun: LunTarget | None = None
    cdrom: CDRomTarget | None = None
    boot_order: int | None = None
    serial: str = ""
    dedicated_io_thread: bool | None = msgspec.field(default=None, name="dedicatedIOThread")
    cache: str = ""
    io: str = ""
    tag: str = ""
    error_policy: str = ""
    block_size: BlockSize | None = None
    shareable: bool | None = None
    changed_block_tracking: bool | None = None
