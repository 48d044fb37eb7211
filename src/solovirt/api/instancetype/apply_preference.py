"""What a preference fills in: only fields that nobody has set. Pure.

Source: kubevirt pkg/instancetype/preference/apply. Unlike there, ``features.acpi`` and ``devices.disableHotplug`` that
a VM sets stay as they are, and ``preferredVirtualGPUOptions`` has its effect.
"""

from __future__ import annotations

from solovirt.api.instancetype.preference import (
    ClockPreferences,
    DevicePreferences,
    FeaturePreferences,
    FirmwarePreferences,
    PreferenceSpec,
)
from solovirt.api.kubevirt.spec.clock import Clock
from solovirt.api.kubevirt.spec.compute import CPU, CPUFeature, Machine
from solovirt.api.kubevirt.spec.devices import Devices, PanicDevice, Video
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.features import FeatureHyperv, Features
from solovirt.api.kubevirt.spec.firmware import BIOS, EFI, Bootloader, Firmware
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.meta import Model, ObjectMeta
from solovirt.kit.json import clone

_AUTOATTACH = (
    ("preferred_autoattach_graphics_device", "autoattach_graphics_device"),
    ("preferred_autoattach_mem_balloon", "autoattach_mem_balloon"),
    ("preferred_autoattach_pod_interface", "autoattach_pod_interface"),
    ("preferred_autoattach_serial_console", "autoattach_serial_console"),
    ("preferred_autoattach_input_device", "autoattach_input_device"),
)
_DEVICES = (
    ("preferred_use_virtio_transitional", "use_virtio_transitional"),
    ("preferred_block_multi_queue", "block_multi_queue"),
    ("preferred_network_interface_multi_queue", "network_interface_multiqueue"),
    ("preferred_disable_hotplug", "disable_hotplug"),
    ("preferred_rng", "rng"),
    ("preferred_tpm", "tpm"),
)
_FEATURES = (
    ("preferred_acpi", "acpi"),
    ("preferred_apic", "apic"),
    ("preferred_kvm", "kvm"),
    ("preferred_pvspinlock", "pvspinlock"),
    ("preferred_smm", "smm"),
)


def apply(preference: PreferenceSpec, spec: VirtualMachineInstanceSpec, meta: ObjectMeta) -> None:
    """All of a preference but its topology (the instancetype's) and its storage class (the DataVolumes')."""
    domain = spec.domain
    if preference.cpu is not None:
        _apply_cpu_features(preference.cpu.preferred_cpu_features, domain)
    if preference.devices is not None:
        _apply_devices(preference.devices, spec)
    if preference.features is not None:
        _apply_features(preference.features, domain)
    if preference.firmware is not None:
        _apply_firmware(preference.firmware, domain)
    if preference.clock is not None:
        _apply_clock(preference.clock, domain)
    apply_platform(preference, spec)
    spec.subdomain = spec.subdomain or preference.preferred_subdomain
    if spec.termination_grace_period_seconds is None:
        spec.termination_grace_period_seconds = preference.preferred_termination_grace_period_seconds
    for key, value in preference.annotations.items():
        meta.annotations.setdefault(key, value)
    if domain.launch_security is None:
        domain.launch_security = clone(preference.preferred_launch_security)


def apply_platform(preference: PreferenceSpec, spec: VirtualMachineInstanceSpec) -> None:
    """Machine type and architecture, which a VM gets when it is written, before the defaults of both."""
    spec.architecture = spec.architecture or preference.preferred_architecture
    if preference.machine is not None and preference.machine.preferred_machine_type:
        machine = spec.domain.machine = spec.domain.machine or Machine()
        machine.type = machine.type or preference.machine.preferred_machine_type


def apply_autoattach(wanted: DevicePreferences, devices: Devices) -> None:
    """Before any device is added that these forbid or ask for."""
    _fill(wanted, devices, _AUTOATTACH)


def _fill(wanted: Model, target: Model, names: tuple[tuple[str, str], ...]) -> None:
    for name, field in names:
        value: object = getattr(wanted, name)
        if value is not None and getattr(target, field) is None:
            setattr(target, field, clone(value))


def _apply_cpu_features(wanted: list[CPUFeature], domain: Domain) -> None:
    if not wanted:
        return
    cpu = domain.cpu = domain.cpu or CPU()
    named = {feature.name for feature in cpu.features}
    cpu.features.extend(clone(feature) for feature in wanted if feature.name not in named)


def _apply_devices(wanted: DevicePreferences, spec: VirtualMachineInstanceSpec) -> None:
    devices = spec.domain.devices
    _fill(wanted, devices, _DEVICES)
    apply_autoattach(wanted, devices)
    if devices.sound is not None:
        devices.sound.model = devices.sound.model or wanted.preferred_sound_model
    if wanted.preferred_video_type:
        video = devices.video = devices.video or Video()
        video.type = video.type or wanted.preferred_video_type
    for disk in devices.disks:
        _apply_disk(wanted, disk)
    for device in devices.inputs:
        device.bus = device.bus or wanted.preferred_input_bus
        device.type = device.type or wanted.preferred_input_type
    for gpu in devices.gpus:
        if gpu.virtual_gpu_options is None:
            gpu.virtual_gpu_options = clone(wanted.preferred_virtual_gpu_options)
    if wanted.preferred_panic_device_model:
        devices.panic_devices = devices.panic_devices or [PanicDevice()]
        for panic in devices.panic_devices:
            panic.model = panic.model or wanted.preferred_panic_device_model
    _apply_interfaces(wanted, spec)


def _apply_interfaces(wanted: DevicePreferences, spec: VirtualMachineInstanceSpec) -> None:
    pods = {network.name for network in spec.networks if network.pod is not None}
    for interface in spec.domain.devices.interfaces:
        interface.model = interface.model or wanted.preferred_interface_model
        if not interface.bindings() and interface.name in pods:
            interface.masquerade = clone(wanted.preferred_interface_masquerade)


def _apply_disk(wanted: DevicePreferences, disk: Disk) -> None:
    if disk.disk is None and disk.cdrom is None and disk.lun is None:
        disk.disk = DiskTarget()
    if disk.disk is not None:
        disk.disk.bus = disk.disk.bus or wanted.preferred_disk_bus
        if disk.block_size is None:
            disk.block_size = clone(wanted.preferred_disk_block_size)
        disk.cache = disk.cache or wanted.preferred_disk_cache
        disk.io = disk.io or wanted.preferred_disk_io
        if disk.dedicated_io_thread is None and disk.disk.bus == "virtio":
            disk.dedicated_io_thread = wanted.preferred_disk_dedicated_io_thread
    elif disk.cdrom is not None:
        disk.cdrom.bus = disk.cdrom.bus or wanted.preferred_cdrom_bus
    elif disk.lun is not None:
        disk.lun.bus = disk.lun.bus or wanted.preferred_lun_bus


def _apply_features(wanted: FeaturePreferences, domain: Domain) -> None:
    features = domain.features = domain.features or Features()
    _fill(wanted, features, _FEATURES)
    if wanted.preferred_hyperv is not None:
        hyperv = features.hyperv = features.hyperv or FeatureHyperv()
        _fill(wanted.preferred_hyperv, hyperv, tuple((name, name) for name in FeatureHyperv.__struct_fields__))


def _apply_firmware(wanted: FirmwarePreferences, domain: Domain) -> None:
    firmware = domain.firmware = domain.firmware or Firmware()
    loader = firmware.bootloader = firmware.bootloader or Bootloader()
    if wanted.preferred_use_bios and loader.bios is None and loader.efi is None:
        loader.bios = BIOS()
    if loader.bios is not None and loader.bios.use_serial is None:
        loader.bios.use_serial = wanted.preferred_use_bios_serial
    if loader.bios is None and loader.efi is None:
        if wanted.preferred_efi is not None:
            loader.efi = clone(wanted.preferred_efi)
            return
        if wanted.preferred_use_efi:
            loader.efi = EFI()
    if loader.efi is not None and loader.efi.secure_boot is None:
        loader.efi.secure_boot = wanted.preferred_use_secure_boot


def _apply_clock(wanted: ClockPreferences, domain: Domain) -> None:
    clock = domain.clock = domain.clock or Clock()
    offset = wanted.preferred_clock_offset
    # Half of an offset is none: both parts or neither.
    if offset is not None and clock.utc is None and not clock.timezone:
        clock.utc, clock.timezone = clone(offset.utc), offset.timezone
    if clock.timer is None:
        clock.timer = clone(wanted.preferred_timer)
