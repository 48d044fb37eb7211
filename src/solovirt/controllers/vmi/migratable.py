"""Why a VMI could not be moved while it runs, as far as its spec tells. Pure.

Source: kubevirt pkg/virt-handler, ``calculateLiveMigrationCondition``: the order and the sentences.
"""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import Condition

BRIDGE_ALLOWED = "kubevirt.io/allow-pod-bridge-network-live-migration"
ClaimOf = Callable[[str, str], PersistentVolumeClaim | None]

_NETWORK = (
    "cannot migrate VMI which does not use masquerade, bridge with"
    f" {BRIDGE_ALLOWED} VM annotation or a migratable plugin to connect to the pod network"
)


def condition(vmi: VirtualMachineInstance, claim: ClaimOf) -> Condition:
    """LiveMigratable, which is False here in any case: there is no other host."""
    reason, message = problem(vmi, claim) or ("MigrationNotSupported", "there is no other host to migrate to")
    return Condition(type="LiveMigratable", status="False", reason=reason, message=message)


def problem(vmi: VirtualMachineInstance, claim: ClaimOf) -> tuple[str, str] | None:
    """(reason, message) of the first thing that stands in the way."""
    domain, devices = vmi.spec.domain, vmi.spec.domain.devices
    security = domain.launch_security
    passthrough = domain.features.hyperv_passthrough if domain.features is not None else None
    host_devices = bool(devices.gpus or devices.host_devices) or any(nic.sriov for nic in devices.interfaces)
    host_cpu = domain.cpu is not None and domain.cpu.model == "host-passthrough"
    causes = (
        (_network(vmi), "Interface", _NETWORK),
        (host_cpu, "CPUMode", "VMI uses the CPU model host-passthrough, which other hosts may not have"),
        (host_devices, "HostDevice", "VMI uses a PCI host devices"),
        (security is not None and security.tdx is not None, "TDX", "VMI uses TDX"),
        (security is not None, "SEV", "VMI uses SEV"),
        (_reserves(vmi), "PersistentReservation", "VMI uses SCSI persistent reservation"),
        (passthrough is not None and passthrough.enabled, "HypervPassthrough", "VMI uses hyperv passthrough"),
        (bool(devices.filesystems), "VirtIOFS", "VMI uses virtiofs"),
    )
    for holds, kind, message in causes:
        if holds:
            return "CPUModeLiveMigratable" if kind == "CPUMode" else f"{kind}NotLiveMigratable", message
    return _disks(vmi, claim)


def _reserves(vmi: VirtualMachineInstance) -> bool:
    return any(disk.lun is not None and disk.lun.reservation for disk in vmi.spec.domain.devices.disks)


def _network(vmi: VirtualMachineInstance) -> bool:
    """Whether the pod network is reached in a way that another host could not take over."""
    pods = {network.name for network in vmi.spec.networks if network.pod is not None}
    allowed = BRIDGE_ALLOWED in vmi.metadata.annotations
    for nic in vmi.spec.domain.devices.interfaces:
        movable = nic.masquerade is not None or nic.passt_binding is not None or (nic.bridge is not None and allowed)
        if nic.name in pods and not movable:
            return True
    return False


def _disks(vmi: VirtualMachineInstance, claim: ClaimOf) -> tuple[str, str] | None:
    for volume in vmi.spec.volumes:
        if volume.host_disk is not None and not volume.host_disk.shared:
            return "DisksNotLiveMigratable", "cannot migrate VMI with non-shared HostDisk"
        name = ""
        if volume.persistent_volume_claim is not None:
            name = volume.persistent_volume_claim.claim_name
        elif volume.data_volume is not None:
            name = volume.data_volume.name
        found = claim(vmi.metadata.namespace, name) if name else None
        if found is not None and "ReadWriteMany" not in found.spec.access_modes:
            shared = "live migration requires that all PVCs must be shared (using ReadWriteMany access mode)"
            return "DisksNotLiveMigratable", f"cannot migrate VMI: PVC {name} is not shared, {shared}"
    return None
