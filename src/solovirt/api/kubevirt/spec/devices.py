"""domain.devices (KubeVirt api core/v1 schema.go). Disks and interfaces have modules of their own."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.api.meta import Model


class Rng(Model):
    """``rng: {}``."""


class Input(Model):
    name: str
    type: str
    bus: str = ""


class WatchdogDevice(Model):
    """``action`` is poweroff, reset or shutdown."""

    action: str = ""


class Watchdog(Model):
    name: str
    i6300esb: WatchdogDevice | None = msgspec.field(default=None, name="i6300esb")
    diag288: WatchdogDevice | None = msgspec.field(default=None, name="diag288")


class TPM(Model):
    enabled: bool | None = None
    persistent: bool | None = None


class Sound(Model):
    name: str
    model: str = ""


class Video(Model):
    type: str = ""


class PanicDevice(Model):
    model: str = ""


class ClientPassthrough(Model):
    """``clientPassthrough: {}``."""


class DownwardMetrics(Model):
    """``downwardMetrics: {}``."""


class VirtioFS(Model):
    """``virtiofs: {}``."""


class Filesystem(Model):
    name: str
    virtiofs: VirtioFS | None = None


class GPUDisplay(Model):
    enabled: bool | None = None
    ram_fb: RamFB | None = msgspec.field(default=None, name="ramFB")


class RamFB(Model):
    enabled: bool | None = None


class VirtualGPUOptions(Model):
    display: GPUDisplay | None = None


class GPU(Model):
    name: str
    device_name: str = ""
    virtual_gpu_options: VirtualGPUOptions | None = msgspec.field(default=None, name="virtualGPUOptions")
    tag: str = ""
    claim_name: str = ""
    request_name: str = ""


class HostDevice(Model):
    name: str
    device_name: str = ""
    tag: str = ""
    claim_name: str = ""
    request_name: str = ""


class Devices(Model):
    disks: list[Disk] = msgspec.field(default_factory=list)
    interfaces: list[Interface] = msgspec.field(default_factory=list)
    filesystems: list[Filesystem] = msgspec.field(default_factory=list)
    inputs: list[Input] = msgspec.field(default_factory=list)
    gpus: list[GPU] = msgspec.field(default_factory=list)
    host_devices: list[HostDevice] = msgspec.field(default_factory=list)
    panic_devices: list[PanicDevice] = msgspec.field(default_factory=list)
    rng: Rng | None = None
    watchdog: Watchdog | None = None
    tpm: TPM | None = None
    sound: Sound | None = None
    video: Video | None = None
    client_passthrough: ClientPassthrough | None = None
    downward_metrics: DownwardMetrics | None = None
    use_virtio_transitional: bool | None = None
    disable_hotplug: bool | None = None
    block_multi_queue: bool | None = None
    network_interface_multiqueue: bool | None = None
    autoattach_pod_interface: bool | None = None
    autoattach_graphics_device: bool | None = None
    autoattach_serial_console: bool | None = None
    log_serial_console: bool | None = None
    autoattach_mem_balloon: bool | None = None
    autoattach_input_device: bool | None = None
    autoattach_vsock: bool | None = msgspec.field(default=None, name="autoattachVSOCK")
