"""The preferences that solovirt brings: what the usual guests like, as kubevirt/common-instancetypes 1.7 has it.

Those for other architectures than this host's are not here.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from solovirt.api.instancetype.kinds import CLUSTER_PREFERENCES
from solovirt.api.instancetype.preference import (
    ClockOffset,
    ClockPreferences,
    CPUPreferences,
    CPURequirement,
    DevicePreferences,
    FeaturePreferences,
    FirmwarePreferences,
    MemoryRequirement,
    PreferenceSpec,
    Requirements,
    SpreadOptions,
    VirtualMachineClusterPreference,
)
from solovirt.api.instancetype.shipped.instancetypes import PREFIX, VENDOR
from solovirt.api.kubevirt.spec.clock import ClockUTC, RTCTimer, TickingTimer, Timer, Timers
from solovirt.api.kubevirt.spec.devices import TPM, Rng
from solovirt.api.kubevirt.spec.features import (
    FeatureAPIC,
    FeatureHyperv,
    FeatureSpinlocks,
    FeatureState,
    SyNICTimer,
    TLBFlush,
)
from solovirt.api.kubevirt.spec.firmware import EFI
from solovirt.api.meta import ObjectMeta

WINDOWS_GRACE = 3600
SPINLOCK_RETRIES = 8191
_AMD64 = "amd64"


class Linux(msgspec.Struct, frozen=True):
    """``efi``: None for whatever the VM has, else whether with secure boot."""

    name: str
    title: str
    memory: str = ""
    vcpus: int = 1
    io_thread: bool = False
    efi: bool | None = None
    only_amd64: bool = False
    desktop: bool = False
    network: bool = False
    realtime: bool = False
    transitional: bool = False


class Windows(msgspec.Struct, frozen=True):
    name: str
    title: str
    memory: str
    vcpus: int = 1
    nic: str = "e1000e"
    topology: str = "sockets"
    efi: bool = False
    tpm: bool = False
    virtio: bool = True
    small_pci: bool = False


_STREAM, _RHEL = "CentOS Stream", "Red Hat Enterprise Linux"
LINUX = (
    Linux("linux", "Linux Guest"),
    Linux("linux.efi", "Linux EFI Guest", efi=False),
    Linux("linux.virtiotransitional", "Linux Virtio Transitional Guest", transitional=True),
    Linux("alpine", "Alpine", "512Mi"),
    Linux("cirros", "Cirros", "256Mi"),
    Linux("debian", "Debian", "512Mi", efi=False),
    Linux("ubuntu", "Ubuntu", "2Gi"),
    Linux("fedora", "Fedora (amd64)", "2Gi", efi=True, only_amd64=True),
    Linux("opensuse.leap", "OpenSUSE Leap", "2Gi"),
    Linux("opensuse.tumbleweed", "OpenSUSE Tumbleweed", "2Gi"),
    Linux("sles", "SUSE Linux Enterprise Server", "2Gi"),
    Linux("oraclelinux", "Oracle Linux", "4Gi", 2, efi=False),
    Linux("centos.stream9", f"{_STREAM} 9", "1.5Gi", io_thread=True),
    Linux("centos.stream9.desktop", f"{_STREAM} 9", "1.5Gi", io_thread=True, desktop=True),
    Linux("centos.stream9.dpdk", f"{_STREAM} 9", "1.5Gi", 8, io_thread=True, network=True),
    Linux("centos.stream10", f"{_STREAM} 10", "1.5Gi", io_thread=True),
    Linux("centos.stream10.desktop", f"{_STREAM} 10", "1.5Gi", io_thread=True, desktop=True),
    Linux("rhel.7", f"{_RHEL} 7", "1Gi"),
    Linux("rhel.7.desktop", f"{_RHEL} 7", "1Gi", desktop=True),
    Linux("rhel.8", f"{_RHEL} 8", "1.5Gi"),
    Linux("rhel.8.desktop", f"{_RHEL} 8", "1.5Gi", desktop=True),
    Linux("rhel.8.dpdk", f"{_RHEL} 8", "1.5Gi", 8, network=True),
    Linux("rhel.9", f"{_RHEL} 9 (amd64)", "1.5Gi", io_thread=True, efi=True, only_amd64=True),
    Linux("rhel.9.desktop", f"{_RHEL} 9 Desktop (amd64)", "1.5Gi", 1, True, True, True, desktop=True),
    Linux("rhel.9.dpdk", f"{_RHEL} 9 DPDK (amd64)", "1.5Gi", 8, True, True, True, network=True),
    Linux("rhel.9.realtime", f"{_RHEL} 9 Realtime (amd64)", "4Gi", 4, True, True, True, network=True, realtime=True),
    Linux("rhel.10", f"{_RHEL} 10 (amd64)", "1.5Gi", io_thread=True, efi=True, only_amd64=True),
)
_SERVER = "Microsoft Windows Server"
WINDOWS = (
    Windows("xp", "Microsoft Windows XP", "128Mi", virtio=False, small_pci=True),
    Windows("7", "Microsoft Windows 7", "2Gi"),
    Windows("10", "Microsoft Windows 10", "2Gi", topology="cores", efi=True),
    Windows("11", "Microsoft Windows 11", "4Gi", 2, topology="cores", efi=True, tpm=True),
    Windows("2k3", f"{_SERVER} 2003", "256Mi", nic="rtl8139", virtio=False, small_pci=True),
    Windows("2k8", f"{_SERVER} 2008/2008 R2", "512Mi", nic="e1000"),
    Windows("2k12", f"{_SERVER} 2012/2012 R2", "512Mi"),
    Windows("2k16", f"{_SERVER} 2016", "2Gi", efi=True),
    Windows("2k19", f"{_SERVER} 2019", "2Gi", efi=True),
    Windows("2k22", f"{_SERVER} 2022", "2Gi", efi=True, tpm=True),
    Windows("2k25", f"{_SERVER} 2025", "2Gi", efi=True, tpm=True),
)


def preferences() -> Iterator[VirtualMachineClusterPreference]:
    """All of them, ready to be stored."""
    yield _made("legacy", "Legacy Guest", "legacy", _legacy())
    for guest in LINUX:
        yield _made(guest.name, guest.title, "linux", _linux(guest))
    for version in WINDOWS:
        name = f"windows.{version.name}"
        yield _made(name, version.title, "windows", _windows(version, virtio=False))
        if version.virtio:
            yield _made(f"{name}.virtio", f"{version.title} (virtio)", "windows", _windows(version, virtio=True))


def _made(name: str, title: str, os_type: str, spec: PreferenceSpec) -> VirtualMachineClusterPreference:
    labels = {"os-type": os_type, "vendor": VENDOR}
    needs = spec.requirements or Requirements()
    if needs.cpu is not None and needs.memory is not None:
        labels |= {"required-cpu": str(needs.cpu.guest), "required-memory": str(needs.memory.guest)}
    if needs.architecture:
        labels["required-architecture"] = needs.architecture
    if spec.preferred_architecture:
        labels |= {"arch": spec.preferred_architecture, "preferred-architecture": spec.preferred_architecture}
    spec.annotations = {"vm.kubevirt.io/os": os_type, **spec.annotations}
    return VirtualMachineClusterPreference(
        api_version=CLUSTER_PREFERENCES.api_version,
        kind=CLUSTER_PREFERENCES.kind,
        metadata=ObjectMeta(
            name=name,
            labels={f"{PREFIX}{key}": value for key, value in labels.items()},
            annotations={"openshift.io/display-name": title},
        ),
        spec=spec,
    )


def _requirements(vcpus: int, memory: str, architecture: str = "") -> Requirements | None:
    if not memory:
        return None
    return Requirements(
        cpu=CPURequirement(guest=vcpus), memory=MemoryRequirement(guest=memory), architecture=architecture
    )


def _legacy() -> PreferenceSpec:
    return PreferenceSpec(devices=DevicePreferences(preferred_disk_bus="sata", preferred_interface_model="e1000"))


def _linux(guest: Linux) -> PreferenceSpec:
    devices = DevicePreferences(
        preferred_disk_bus="virtio",
        preferred_interface_model="virtio",
        preferred_rng=Rng(),
        preferred_disk_dedicated_io_thread=guest.io_thread or None,
        preferred_use_virtio_transitional=guest.transitional or None,
        preferred_network_interface_multi_queue=guest.network or None,
    )
    if guest.desktop:
        _add_tablet(devices)
    if guest.realtime:
        devices.preferred_autoattach_graphics_device = False
        devices.preferred_autoattach_mem_balloon = False
        devices.preferred_autoattach_serial_console = True
    architecture = _AMD64 if guest.only_amd64 else ""
    spread = SpreadOptions(across="SocketsCoresThreads", ratio=None if guest.realtime else 4)
    return PreferenceSpec(
        cpu=CPUPreferences(preferred_cpu_topology="spread", spread_options=spread) if guest.network else None,
        devices=devices,
        # Secure boot needs it.
        features=FeaturePreferences(preferred_smm=FeatureState()) if guest.efi else None,
        firmware=FirmwarePreferences(preferred_efi=EFI(secure_boot=guest.efi)) if guest.efi is not None else None,
        preferred_architecture=architecture,
        requirements=_requirements(guest.vcpus, guest.memory, architecture),
    )


def _windows(version: Windows, *, virtio: bool) -> PreferenceSpec:
    devices = DevicePreferences(
        preferred_autoattach_input_device=True,
        preferred_disk_bus="virtio" if virtio else "sata",
        preferred_interface_model="virtio" if virtio else version.nic,
        preferred_tpm=TPM(persistent=True) if version.tpm else None,
    )
    if virtio:
        _add_tablet(devices)
        devices.preferred_video_type = "virtio"
    efi = EFI(secure_boot=True, persistent=version.tpm or None)
    return PreferenceSpec(
        clock=ClockPreferences(
            preferred_clock_offset=ClockOffset(utc=ClockUTC()),
            preferred_timer=Timers(
                hpet=TickingTimer(present=False),
                hyperv=Timer(),
                pit=TickingTimer(tick_policy="delay"),
                rtc=RTCTimer(tick_policy="catchup"),
            ),
        ),
        cpu=CPUPreferences(preferred_cpu_topology=version.topology),
        devices=devices,
        features=FeaturePreferences(
            preferred_acpi=FeatureState(),
            preferred_apic=FeatureAPIC(),
            preferred_hyperv=_hyperv(),
            preferred_smm=FeatureState() if version.efi else None,
        ),
        firmware=FirmwarePreferences(preferred_efi=efi) if version.efi else None,
        preferred_termination_grace_period_seconds=WINDOWS_GRACE,
        requirements=_requirements(version.vcpus, version.memory),
        annotations={"kubevirt.io/disablePCIHole64": "true"} if version.small_pci else {},
    )


def _hyperv() -> FeatureHyperv:
    return FeatureHyperv(
        frequencies=FeatureState(),
        ipi=FeatureState(),
        reenlightenment=FeatureState(),
        relaxed=FeatureState(),
        reset=FeatureState(),
        runtime=FeatureState(),
        spinlocks=FeatureSpinlocks(retries=SPINLOCK_RETRIES),
        synic=FeatureState(),
        synictimer=SyNICTimer(direct=FeatureState()),
        tlbflush=TLBFlush(),
        vapic=FeatureState(),
        vpindex=FeatureState(),
    )


def _add_tablet(devices: DevicePreferences) -> None:
    devices.preferred_autoattach_input_device = True
    devices.preferred_input_bus, devices.preferred_input_type = "virtio", "tablet"
