from __future__ import annotations

from solovirt.api.kubevirt.virtualmachineinstance import InterfaceStatus
from solovirt.controllers.vmi.interfaces import MAX_ADDRESSES, MAX_INTERFACES, merge
from solovirt.hypervisor.agent_info import Interface, IpAddress

OURS = InterfaceStatus(
    name="default", mac="02:00:00:00:00:01", ip_address="10.0.2.2", ip_addresses=["10.0.2.2"], info_source="domain"
)


def guest(name: str, mac: str, *addresses: str) -> Interface:
    return Interface(name, mac, tuple(IpAddress(address, "ipv4", 24) for address in addresses))


def test_without_a_guest() -> None:
    assert merge([OURS], ()) == [OURS]


def test_the_guest_knows_its_addresses_best() -> None:
    found = guest("eth0", "02:00:00:00:00:01".upper(), "fe80::1", "2001:db8::1", "192.0.2.7")
    (merged,) = merge([OURS], [guest("lo", "00:00:00:00:00:00", "127.0.0.1"), found])
    assert (merged.name, merged.interface_name, merged.ip_address) == ("default", "eth0", "192.0.2.7")
    assert merged.ip_addresses == ["192.0.2.7", "2001:db8::1", "fe80::1"]
    assert merged.info_source == "domain, guest-agent"


def test_a_guest_without_addresses_keeps_what_we_gave() -> None:
    (merged,) = merge([OURS], [guest("eth0", OURS.mac)])
    assert merged.ip_address == "10.0.2.2"


def test_a_guest_that_waits_for_dhcp_keeps_what_we_gave() -> None:
    """Its link-local address comes first, and nobody can reach it there."""
    (merged,) = merge([OURS], [guest("eth0", OURS.mac, "fe80::1")])
    assert merged.ip_address == "10.0.2.2"
    assert merged.ip_addresses == ["10.0.2.2", "fe80::1"]


def test_what_only_the_guest_knows_comes_last() -> None:
    merged = merge([OURS], [guest("docker0", "02:42:00:00:00:01", "172.17.0.1")])
    assert [(nic.interface_name, nic.info_source) for nic in merged] == [("", "domain"), ("docker0", "guest-agent")]


def test_a_boastful_guest_is_cut_short() -> None:
    many = [guest(f"veth{number}", "", *["10.0.0.1"] * 100) for number in range(500)]
    merged = merge([OURS], many)
    assert len(merged) == MAX_INTERFACES
    assert len(merged[1].ip_addresses) == MAX_ADDRESSES
