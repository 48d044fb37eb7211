"""Whether a machine has the bridge for conventional PCI devices, which no guest can find later. Pure.

Must say what ``compile.configurators.ports`` does.
"""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec

CONVENTIONAL = ("e1000", "ne2k_pci", "pcnet", "rtl8139")
"""Models of NICs that sit on it."""


def has_bridge(spec: VirtualMachineInstanceSpec) -> bool:
    """Of a machine that was started with ``spec``, or came to it in place."""
    devices = spec.domain.devices
    if devices.use_virtio_transitional or devices.watchdog is not None:
        return True
    if devices.sound is not None and devices.sound.model == "ac97":
        return True
    return any(nic.model in CONVENTIONAL and nic.sriov is None for nic in devices.interfaces if nic.state != "absent")
