"""The host's side of interfaces."""

from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.interfaces import Binding, Interface, Port
from solovirt.compile import netdev, render
from solovirt.host.model.bindings import NetworkBinding
from solovirt.kit.errors import HostError

PATH, NETWORK = "domain.devices.interfaces[0]", "networks[0]"
NIC = Interface(name="default", masquerade=Binding())


def test_kubevirts_addresses() -> None:
    described = netdev.describe(NIC, PATH, NetworkBinding("default", "user"), NETWORK)
    assert render.arguments(described) == {
        "type": "user", "id": "hostua-default", "ipv4": True, "ipv6": False, "net": "10.0.2.0/24", "host": "10.0.2.1",
        "dhcpstart": "10.0.2.2", "dns": "10.0.2.3",
    }  # fmt: skip


def test_hostname_and_forwards() -> None:
    bound = NetworkBinding("default", "user", hostname="web", forwards=(("TCP", "127.0.0.1", 8080, 80),))
    told = render.arguments(netdev.describe(NIC, PATH, bound, NETWORK))
    assert told["hostname"] == "web"
    assert told["hostfwd"] == [{"str": "tcp:127.0.0.1:8080-:80"}]


@pytest.mark.parametrize(
    ("nic", "path", "said"),
    [
        (NIC, f"{PATH}.masquerade", "inside QEMU"),
        (Interface(name="a", bridge=Binding()), f"{PATH}.bridge", "the same user-mode network as masquerade"),
        (Interface(name="a"), PATH, "inside QEMU"),
        (Interface(name="a", masquerade=Binding(), ports=[Port(port=80)]), f"{PATH}.masquerade", "its ports"),
    ],
)
def test_the_reason_says_which_method_was_asked_for(nic: Interface, path: str, said: str) -> None:
    why = netdev.describe(nic, PATH, NetworkBinding("a", "user"), NETWORK).props[0].why
    assert why.path == path and said in why.text


def test_unknown_kinds_of_binding() -> None:
    with pytest.raises(HostError, match='bound as "magic"'):
        netdev.describe(NIC, PATH, NetworkBinding("default", "magic"), NETWORK)
