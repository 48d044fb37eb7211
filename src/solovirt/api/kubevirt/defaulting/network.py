"""Defaults of networks and interfaces. Source: kubevirt pkg/network/vmispec, pkg/defaults."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.sources import Network, PodNetwork


def default_network(spec: VirtualMachineInstanceSpec) -> None:
    """An interface on the pod network, where neither networks nor interfaces say otherwise."""
    devices = spec.domain.devices
    if devices.autoattach_pod_interface is False or spec.networks or devices.interfaces:
        return
    devices.interfaces = [Interface(name="default", bridge=Binding())]
    spec.networks = [Network(name="default", pod=PodNetwork())]
