"""The host's side of interfaces."""

from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.interfaces import Binding, DHCPOptions, DHCPPrivateOption, Interface, Port
from solovirt.compile import netdev, render
from solovirt.host.model.bindings import NetworkBinding
from solovirt.kit.errors import HostError

PATH, NETWORK = "domain.devices.interfaces[0]", "networks[0]"
NIC = Interface(name="default", masquerade=Binding())


def side(nic: Interface, bound: NetworkBinding, queues: int = 1, vhost: bool = False) -> netdev.Side:
    return netdev.Side(nic, PATH, bound, NETWORK, queues, vhost)


def test_kubevirts_addresses() -> None:
    described = netdev.describe(side(NIC, NetworkBinding("default", "user")))
    assert render.arguments(described) == {
        "type": "user", "id": "hostua-default", "ipv4": True, "ipv6": False, "net": "10.0.2.0/24", "host": "10.0.2.1",
        "dhcpstart": "10.0.2.2", "dns": "10.0.2.3",
    }  # fmt: skip


def test_hostname_and_forwards() -> None:
    bound = NetworkBinding("default", "user", hostname="web", forwards=(("TCP", "127.0.0.1", 8080, 80),))
    told = render.arguments(netdev.describe(side(NIC, bound)))
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
    why = netdev.describe(side(nic, NetworkBinding("a", "user"))).props[0].why
    assert why.path == path and said in why.text


def test_unknown_kinds_of_binding() -> None:
    with pytest.raises(HostError, match='bound as "magic"'):
        netdev.describe(side(NIC, NetworkBinding("default", "magic")))


def test_ipv6_where_it_is_asked_for() -> None:
    bound = NetworkBinding("default", "user", network6="fd10:0:2::/120", host6="fd10:0:2::1", dns6="fd10:0:2::3")
    told = render.arguments(netdev.describe(side(NIC, bound)))
    assert (told["ipv6"], told["ipv6-prefix"], told["ipv6-prefixlen"]) == (True, "fd10:0:2::", 120)
    assert (told["ipv6-host"], told["ipv6-dns"]) == ("fd10:0:2::1", "fd10:0:2::3")


def test_what_dhcp_tells_and_what_it_cannot() -> None:
    options = DHCPOptions(
        boot_file_name="a,b",
        tftp_server_name="boot",
        ntp_servers=["192.0.2.1"],
        private_options=[DHCPPrivateOption(option=240, value="x")],
    )
    nic = Interface(name="a", masquerade=Binding(), dhcp_options=options)
    described = netdev.describe(side(nic, NetworkBinding("a", "user")))
    told = render.arguments(described)
    assert (told["bootfile"], told["tftp-server-name"]) == ("a,b", "boot")
    assert "NTP servers and private DHCP options are not told" in described.props[0].why.text


def test_tap() -> None:
    nic = Interface(name="a", bridge=Binding())
    told = render.arguments(netdev.describe(side(nic, NetworkBinding("a", "tap", interface="tap0"), 2, True)))
    assert told == {
        "type": "tap", "id": "hostua-a", "ifname": "tap0", "script": "no", "downscript": "no", "vhost": True,
        "queues": 2,
    }  # fmt: skip
    described = netdev.describe(side(nic, NetworkBinding("a", "tap", fd=19, lacks="no bridge")))
    assert render.arguments(described) == {"type": "tap", "id": "hostua-a", "fd": "19"}
    assert described.props[0].why.text.endswith("Not startable here: no bridge")


def test_passt() -> None:
    nic = Interface(name="a", passt_binding=Binding())
    passt = side(nic, NetworkBinding("a", "passt", socket="/run/p.sock"))
    (chardev,) = netdev.chardevs(passt)
    assert render.value(chardev) == ["socket,id=charnet-a,path=/run/p.sock"]
    assert render.arguments(netdev.describe(passt)) == {"type": "vhost-user", "id": "hostua-a", "chardev": "charnet-a"}
    assert not list(netdev.chardevs(side(NIC, NetworkBinding("default", "user"))))
    with pytest.raises(HostError, match="longer than"):
        list(netdev.chardevs(side(nic, NetworkBinding("a", "passt", socket="/" + "x" * 107))))
