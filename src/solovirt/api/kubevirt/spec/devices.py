"""domain.devices: disks, interfaces and the rest (KubeVirt api core/v1 schema.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import Model


class DiskTarget(Model):
    bus: str = ""
    readonly: bool | None = msgspec.field(default=None, name="readonly")
    pci_address: str = ""


class CDRomTarget(Model):
    bus: str = ""
    readonly: bool | None = msgspec.field(default=None, name="readonly")
    tray: str = ""


class Disk(Model):
    __known_unsupported__ = frozenset(
        {"lun", "dedicatedIOThread", "blockSize", "shareable", "changedBlockTracking", "errorPolicy", "tag"}
    )

    name: str
    disk: DiskTarget | None = None
    cdrom: CDRomTarget | None = None
    boot_order: int | None = None
    serial: str = ""
    cache: str = ""
    io: str = ""


class Port(Model):
    name: str = ""
    protocol: str = ""
    port: int = 0


class Binding(Model):
    """``masquerade: {}`` and ``bridge: {}``."""


class Interface(Model):
    __known_unsupported__ = frozenset(
        {"sriov", "slirp", "macvtap", "passt", "passtBinding", "binding", "portRanges", "dhcpOptions", "tag"}
        | {"acpiIndex", "state"}
    )

    name: str
    model: str = ""
    mac_address: str = ""
    masquerade: Binding | None = None
    bridge: Binding | None = None
    ports: list[Port] = msgspec.field(default_factory=list)
    boot_order: int | None = None
    pci_address: str = ""


class Rng(Model):
    """``rng: {}``."""


class Devices(Model):
    __known_unsupported__ = frozenset(
        {"useVirtioTransitional", "disableHotplug", "networkInterfaceMultiqueue", "autoattachVSOCK", "watchdog", "tpm"}
        | {"sound", "video", "gpus", "hostDevices", "clientPassthrough", "downwardMetrics", "panicDevices"}
        | {"filesystems", "logSerialConsole"}
    )

    disks: list[Disk] = msgspec.field(default_factory=list)
    interfaces: list[Interface] = msgspec.field(default_factory=list)
    inputs: list[Input] = msgspec.field(default_factory=list)
    rng: Rng | None = None
    block_multi_queue: bool | None = None
    autoattach_pod_interface: bool | None = None
    autoattach_graphics_device: bool | None = None
    autoattach_serial_console: bool | None = None
    autoattach_mem_balloon: bool | None = None
    autoattach_input_device: bool | None = None


class Input(Model):
    name: str
    type: str
    bus: str = ""
