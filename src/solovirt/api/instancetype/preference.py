"""VirtualMachinePreferenceSpec: what a guest likes (KubeVirt api instancetype/v1beta1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.clock import ClockUTC, Timers
from solovirt.api.kubevirt.spec.compute import CPUFeature, LaunchSecurity, Quantity
from solovirt.api.kubevirt.spec.devices import TPM, Rng, VirtualGPUOptions
from solovirt.api.kubevirt.spec.disks import BlockSize
from solovirt.api.kubevirt.spec.features import FeatureAPIC, FeatureHyperv, FeatureKVM, FeatureState
from solovirt.api.kubevirt.spec.firmware import EFI
from solovirt.api.kubevirt.spec.interfaces import Binding
from solovirt.api.meta import KubeObject, Model


class ClockOffset(Model):
    utc: ClockUTC | None = None
    timezone: str = ""


class ClockPreferences(Model):
    preferred_clock_offset: ClockOffset | None = None
    preferred_timer: Timers | None = None


class SpreadOptions(Model):
    """``across`` is SocketsCores, SocketsCoresThreads or CoresThreads."""

    across: str = ""
    ratio: int | None = None


class CPUPreferences(Model):
    """``preferredCPUTopology`` is sockets, cores, threads, spread or any; each also with ``prefer`` before it."""

    preferred_cpu_topology: str = msgspec.field(default="", name="preferredCPUTopology")
    spread_options: SpreadOptions | None = None
    preferred_cpu_features: list[CPUFeature] = msgspec.field(default_factory=list, name="preferredCPUFeatures")


class DevicePreferences(Model):
    preferred_autoattach_graphics_device: bool | None = None
    preferred_autoattach_mem_balloon: bool | None = None
    preferred_autoattach_pod_interface: bool | None = None
    preferred_autoattach_serial_console: bool | None = None
    preferred_autoattach_input_device: bool | None = None
    preferred_disable_hotplug: bool | None = None
    preferred_virtual_gpu_options: VirtualGPUOptions | None = msgspec.field(
        default=None, name="preferredVirtualGPUOptions"
    )
    preferred_sound_model: str = ""
    preferred_use_virtio_transitional: bool | None = None
    preferred_input_bus: str = ""
    preferred_input_type: str = ""
    preferred_disk_bus: str = ""
    preferred_lun_bus: str = ""
    preferred_cdrom_bus: str = ""
    preferred_disk_dedicated_io_thread: bool | None = None
    preferred_disk_cache: str = ""
    preferred_disk_io: str = msgspec.field(default="", name="preferredDiskIO")
    preferred_disk_block_size: BlockSize | None = None
    preferred_interface_model: str = ""
    preferred_rng: Rng | None = None
    preferred_block_multi_queue: bool | None = None
    preferred_network_interface_multi_queue: bool | None = None
    preferred_tpm: TPM | None = msgspec.field(default=None, name="preferredTPM")
    preferred_interface_masquerade: Binding | None = None
    preferred_panic_device_model: str = ""
    preferred_video_type: str = ""


class FeaturePreferences(Model):
    preferred_acpi: FeatureState | None = None
    preferred_apic: FeatureAPIC | None = None
    preferred_hyperv: FeatureHyperv | None = None
    preferred_kvm: FeatureKVM | None = None
    preferred_pvspinlock: FeatureState | None = None
    preferred_smm: FeatureState | None = None


class FirmwarePreferences(Model):
    """``preferredUseEfi`` and ``preferredUseSecureBoot`` are the older way to say ``preferredEfi``."""

    preferred_use_bios: bool | None = None
    preferred_use_bios_serial: bool | None = None
    preferred_use_efi: bool | None = None
    preferred_use_secure_boot: bool | None = None
    preferred_efi: EFI | None = None


class MachinePreferences(Model):
    preferred_machine_type: str = ""


class VolumePreferences(Model):
    preferred_storage_class_name: str = ""


class CPURequirement(Model):
    guest: int


class MemoryRequirement(Model):
    guest: Quantity


class Requirements(Model):
    """The least that a guest needs."""

    cpu: CPURequirement | None = None
    memory: MemoryRequirement | None = None
    architecture: str = ""


class PreferenceSpec(Model):
    clock: ClockPreferences | None = None
    cpu: CPUPreferences | None = None
    devices: DevicePreferences | None = None
    features: FeaturePreferences | None = None
    firmware: FirmwarePreferences | None = None
    machine: MachinePreferences | None = None
    volumes: VolumePreferences | None = None
    preferred_subdomain: str = ""
    preferred_termination_grace_period_seconds: int | None = None
    requirements: Requirements | None = None
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    prefer_spread_socket_to_core_ratio: int = 0
    preferred_architecture: str = ""
    preferred_launch_security: LaunchSecurity | None = None


class VirtualMachinePreference(KubeObject, kw_only=True):
    spec: PreferenceSpec


class VirtualMachineClusterPreference(KubeObject, kw_only=True):
    spec: PreferenceSpec
