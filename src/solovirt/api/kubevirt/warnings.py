"""What is told with the answer although a manifest is accepted: what KubeVirt would refuse, so that the manifest stays
portable, and what it warns of itself.
"""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.disks import LUN_VOLUMES
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.kit.base64text import decoded_base64

INLINE_MAX = 2048
"""Bytes of cloud-init data that KubeVirt takes inside a manifest."""
RUNNING = "spec.running is deprecated, please use spec.runStrategy instead."
"""Source: kubevirt admitters/vms-admitter.go."""


def vm_warnings(vm: VirtualMachine) -> list[str]:
    found = spec_warnings(vm.spec.template.spec, "spec.template.spec")
    return found if vm.spec.running is None else [*found, RUNNING]


def vmi_warnings(vmi: VirtualMachineInstance) -> list[str]:
    return spec_warnings(vmi.spec, "spec")


def spec_warnings(spec: VirtualMachineInstanceSpec, field: str) -> list[str]:
    """``field`` is the path of the VMI spec."""
    found: list[str] = []
    for index, volume in enumerate(spec.volumes):
        seeds = {
            "cloudInitNoCloud": volume.cloud_init_no_cloud,
            "cloudInitConfigDrive": volume.cloud_init_config_drive,
        }
        for name, source in seeds.items():
            if source is None:
                continue
            place = f"{field}.volumes[{index}].{name}"
            data = (
                ("userdata", "secretRef", source.user_data, source.user_data_base64),
                ("networkdata", "networkDataSecretRef", source.network_data, source.network_data_base64),
            )
            for kind, instead, plain, encoded in data:
                if _size(plain, encoded) > INLINE_MAX:
                    text = f"{place} {kind} exceeds {INLINE_MAX} bytes"
                    found.append(f"{text}: KubeVirt refuses it, and wants it in a {instead}")
    return found + _luns(spec, field) + _absent(spec, field)


def _luns(spec: VirtualMachineInstanceSpec, field: str) -> list[str]:
    devices = {volume.name for volume in spec.volumes if volume.host_disk is not None}
    return [
        f"{field}.domain.devices.disks[{index}].lun {LUN_VOLUMES} So says KubeVirt; here it may be a hostDisk, too"
        for index, disk in enumerate(spec.domain.devices.disks)
        if disk.lun is not None and disk.name in devices
    ]


def _absent(spec: VirtualMachineInstanceSpec, field: str) -> list[str]:
    pods = {network.name for network in spec.networks if network.pod is not None}
    return [
        f'{field}.domain.devices.interfaces[{index}].state: "{nic.name}" interface\'s state "absent" is not supported'
        " on default networks by KubeVirt"
        for index, nic in enumerate(spec.domain.devices.interfaces)
        if nic.state == "absent" and nic.name in pods
    ]


def _size(plain: str, encoded: str) -> int:
    return max(len(plain.encode()), len(decoded_base64(encoded) or b""))
