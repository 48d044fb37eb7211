"""The interface that a VMI gets when it names none."""

from __future__ import annotations

import pytest

from solovirt.api.kubevirt.defaulting.network import default_network
from solovirt.api.kubevirt.spec.devices import Devices
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.sources import Network, PodNetwork


def test_a_bridge_to_the_pod_network() -> None:
    spec = VirtualMachineInstanceSpec(domain=Domain())
    default_network(spec)
    assert spec.domain.devices.interfaces == [Interface(name="default", bridge=Binding())]
    assert spec.networks == [Network(name="default", pod=PodNetwork())]


@pytest.mark.parametrize(
    "spec",
    [
        VirtualMachineInstanceSpec(domain=Domain(devices=Devices(autoattach_pod_interface=False))),
        VirtualMachineInstanceSpec(domain=Domain(), networks=[Network(name="a", pod=PodNetwork())]),
        VirtualMachineInstanceSpec(domain=Domain(devices=Devices(interfaces=[Interface(name="a")]))),
    ],
)
def test_not_where_the_manifest_says_otherwise(spec: VirtualMachineInstanceSpec) -> None:
    before = (list(spec.networks), list(spec.domain.devices.interfaces))
    default_network(spec)
    assert (spec.networks, spec.domain.devices.interfaces) == before
