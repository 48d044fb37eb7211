"""Bindings and networks in KubeVirt's words."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface, PluginBinding
from solovirt.api.kubevirt.spec.sources import MultusNetwork, Network, PodNetwork
from solovirt.server.metrics import nics


def spec() -> VirtualMachineInstanceSpec:
    made = VirtualMachineInstanceSpec(domain=Domain())
    made.domain.devices.interfaces = [
        Interface(name="default", masquerade=Binding()),
        Interface(name="lan", model="e1000", binding=PluginBinding(name="passt")),
        Interface(name="alone", bridge=Binding()),
    ]
    made.networks = [
        Network(name="default", pod=PodNetwork()),
        Network(name="lan", multus=MultusNetwork(network_name="infra/lan")),
    ]
    return made


def test_described() -> None:
    first, second = nics.described(spec())
    assert first == {
        "vnic_name": "default",
        "binding_type": "core",
        "network": "pod networking",
        "binding_name": "masquerade",
        "model": "<none>",
    }
    assert second == {
        "vnic_name": "lan",
        "binding_type": "plugin",
        "network": "infra/lan",
        "binding_name": "passt",
        "model": "e1000",
    }


def test_no_machine_has_no_networks() -> None:
    assert nics.networks(None) == {}
