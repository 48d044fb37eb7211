from __future__ import annotations

from collections.abc import Callable

import pytest

from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim, PersistentVolumeClaimSpec
from solovirt.api.kubevirt.spec.compute import CPU, SEV, LaunchSecurity
from solovirt.api.kubevirt.spec.devices import Filesystem, HostDevice
from solovirt.api.kubevirt.spec.interfaces import Binding
from solovirt.api.kubevirt.spec.sources import ClaimSource, HostDiskSource, Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.vmi import migratable
from tests.unit.controllers.lab import lone_vmi

CLAIM = PersistentVolumeClaim(spec=PersistentVolumeClaimSpec(access_modes=["ReadWriteOnce"]))
Change = Callable[[VirtualMachineInstance], None]


def bridge(vmi: VirtualMachineInstance) -> None:
    nic = vmi.spec.domain.devices.interfaces[0]
    nic.masquerade, nic.bridge = None, Binding()


def cpu(vmi: VirtualMachineInstance) -> None:
    vmi.spec.domain.cpu = CPU(model="host-passthrough")


def device(vmi: VirtualMachineInstance) -> None:
    vmi.spec.domain.devices.host_devices = [HostDevice(name="x")]


def sev(vmi: VirtualMachineInstance) -> None:
    vmi.spec.domain.launch_security = LaunchSecurity(sev=SEV())


def shared(vmi: VirtualMachineInstance) -> None:
    vmi.spec.domain.devices.filesystems = [Filesystem(name="x")]


def claim(vmi: VirtualMachineInstance) -> None:
    vmi.spec.volumes = [Volume(name="v", persistent_volume_claim=ClaimSource(claim_name="data"))]


def host_disk(vmi: VirtualMachineInstance) -> None:
    vmi.spec.volumes = [Volume(name="v", host_disk=HostDiskSource(path="/x", type="Disk"))]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (bridge, "InterfaceNotLiveMigratable"),
        (cpu, "CPUModeLiveMigratable"),
        (device, "HostDeviceNotLiveMigratable"),
        (sev, "SEVNotLiveMigratable"),
        (shared, "VirtIOFSNotLiveMigratable"),
        (claim, "DisksNotLiveMigratable"),
        (host_disk, "DisksNotLiveMigratable"),
    ],
)
def test_reasons(change: Change, reason: str) -> None:
    vmi = lone_vmi()
    assert migratable.condition(vmi, lambda namespace, name: CLAIM).reason == "MigrationNotSupported"
    change(vmi)
    found = migratable.condition(vmi, lambda namespace, name: CLAIM)
    assert (found.status, found.reason) == ("False", reason)


def test_what_would_do() -> None:
    vmi = lone_vmi()
    bridge(vmi)
    vmi.metadata.annotations[migratable.BRIDGE_ALLOWED] = ""
    claim(vmi)
    many = PersistentVolumeClaim(spec=PersistentVolumeClaimSpec(access_modes=["ReadWriteMany"]))
    assert migratable.problem(vmi, lambda namespace, name: many) is None
