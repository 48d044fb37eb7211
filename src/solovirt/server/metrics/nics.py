"""Interfaces of a spec as labels: KubeVirt's words for bindings and networks."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance

POD = "pod networking"


def described(spec: VirtualMachineInstanceSpec) -> Iterator[dict[str, str]]:
    """The labels of each interface that has a network."""
    names = _networks(spec)
    for nic in spec.domain.devices.interfaces:
        if nic.name in names:
            plugin = nic.binding is not None
            binding = nic.binding.name if nic.binding is not None else "".join(nic.bindings()[:1])
            yield {
                "vnic_name": nic.name,
                "binding_type": "plugin" if plugin else "core",
                "network": names[nic.name],
                "binding_name": binding,
                "model": nic.model or "<none>",
            }


def networks(vmi: VirtualMachineInstance | None) -> dict[str, str]:
    """Interface -> its network."""
    return _networks(vmi.spec) if vmi is not None else {}


def _networks(spec: VirtualMachineInstanceSpec) -> dict[str, str]:
    found: dict[str, str] = {}
    for network in spec.networks:
        if network.pod is not None:
            found[network.name] = POD
        elif network.multus is not None:
            found[network.name] = network.multus.network_name
    return found
