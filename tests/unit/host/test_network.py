from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface, PluginBinding
from solovirt.api.kubevirt.spec.sources import MultusNetwork, Network, NetworkResourceClaim, PodNetwork
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.host.network import bind, hostname, require, tap_name
from solovirt.kit.errors import HostError, Invalid


def vmi(*networks: Network, name: str = "vm", host: str = "") -> VirtualMachineInstance:
    spec = VirtualMachineInstanceSpec(domain=Domain(), networks=list(networks), hostname=host)
    return VirtualMachineInstance(metadata=ObjectMeta(name=name), spec=spec)


def test_kubevirts_addresses() -> None:
    found = bind(vmi(Network(name="default", pod=PodNetwork())))["default"]
    assert (found.kind, found.network, found.host, found.dhcp_start, found.dns) == (
        "user",
        "10.0.2.0/24",
        "10.0.2.1",
        "10.0.2.2",
        "10.0.2.3",
    )
    assert found.hostname == "vm"


def test_own_network() -> None:
    found = bind(vmi(Network(name="n", pod=PodNetwork(vm_network_cidr="192.168.9.77/28"))))["n"]
    assert (found.network, found.host, found.dhcp_start, found.dns) == (
        "192.168.9.64/28",
        "192.168.9.65",
        "192.168.9.66",
        "192.168.9.67",
    )


def test_all_wrong_networks_at_once() -> None:
    wrong = ["fd10::/64", "10.0.2.0/30", "x,hostfwd=tcp::22-:22", "10.0.2.0/4"]
    networks = [Network(name=f"n{n}", pod=PodNetwork(vm_network_cidr=cidr)) for n, cidr in enumerate(wrong)]
    with pytest.raises(Invalid) as caught:
        bind(vmi(*networks))
    assert [cause.field for cause in caught.value.causes] == [
        f"spec.networks[{n}].pod.vmNetworkCIDR" for n in range(len(wrong))
    ]


@pytest.mark.parametrize(
    ("name", "host", "wanted"),
    [("vm", "", "vm"), ("vm.example.com", "", "vm"), ("vm", "other", "other"), ("a" * 62 + "-b", "", "a" * 62)],
)
def test_hostname(name: str, host: str, wanted: str) -> None:
    assert hostname(vmi(name=name, host=host)) == wanted


@settings(max_examples=100)
@given(st.text(max_size=20) | st.ip_addresses(v=4).flatmap(lambda ip: st.integers(0, 32).map(lambda n: f"{ip}/{n}")))
def test_whatever_is_accepted_holds_its_three_addresses(cidr: str) -> None:
    import ipaddress

    try:
        found = bind(vmi(Network(name="n", pod=PodNetwork(vm_network_cidr=cidr))))["n"]
    except Invalid:
        return
    network = ipaddress.IPv4Network(found.network)
    addresses = [ipaddress.IPv4Address(text) for text in (found.host, found.dhcp_start, found.dns)]
    assert len(set(addresses)) == 3
    assert all(address in network and address != network.broadcast_address for address in addresses)


def attached(interface: Interface, network: Network) -> VirtualMachineInstance:
    made = vmi(network)
    made.metadata.namespace = "ns"
    made.spec.domain.devices.interfaces = [interface]
    return made


LAN = Network(name="a", multus=MultusNetwork(network_name="vlan10"))
POD = Network(name="a", pod=PodNetwork())


@pytest.mark.parametrize(
    ("interface", "network", "kind", "lacks"),
    [
        (Interface(name="a", bridge=Binding()), LAN, "tap", 'attachment "vlan10"'),
        (Interface(name="a", sriov=Binding()), LAN, "vfio", "SR-IOV"),
        (Interface(name="a", binding=PluginBinding(name="macvtap")), LAN, "tap", 'plugin "macvtap"'),
        (Interface(name="a", passt_binding=Binding()), POD, "passt", "needs passt"),
        (
            Interface(name="a", binding=PluginBinding(name="x")),
            Network(name="a", resource_claim=NetworkResourceClaim()),
            "tap",
            'plugin "x"',
        ),
        (Interface(name="a"), Network(name="a", resource_claim=NetworkResourceClaim()), "tap", "resource claim"),
    ],
)
def test_what_does_not_run_here_says_so(interface: Interface, network: Network, kind: str, lacks: str) -> None:
    made = attached(interface, network)
    found = bind(made, directory="/run/x")
    assert found["a"].kind == kind and lacks in found["a"].lacks
    with pytest.raises(HostError) as caught:
        require(made.spec, found)
    assert caught.value.reason == "NetworkMissing" and "masquerade" in caught.value.hint
    assert caught.value.field == "spec.domain.devices.interfaces[0]"
    made.spec.domain.devices.interfaces[0].state = "absent"
    require(made.spec, found)


def test_the_user_network_is_always_there() -> None:
    made = attached(Interface(name="a", masquerade=Binding()), POD)
    require(made.spec, bind(made))


def test_taps_have_names_of_their_own() -> None:
    names = {tap_name("ns/a", "lan"), tap_name("ns/b", "lan"), tap_name("ns/a", "wan")}
    assert len(names) == 3 and all(len(name) < 16 for name in names)


def test_ipv6() -> None:
    found = bind(vmi(Network(name="n", pod=PodNetwork(vm_ipv6_network_cidr="fd77::5/120"))))["n"]
    assert (found.network6, found.host6, found.dns6) == ("fd77::/120", "fd77::1", "fd77::3")
    for wrong in ("fd77::/127", "10.0.0.0/8", "x"):
        with pytest.raises(Invalid) as caught:
            bind(vmi(Network(name="n", pod=PodNetwork(vm_ipv6_network_cidr=wrong))))
        assert caught.value.causes[0].field == "spec.networks[0].pod.vmIPv6NetworkCIDR"
