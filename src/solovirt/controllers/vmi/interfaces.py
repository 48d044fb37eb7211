"""The interfaces of a VMI's status: what we gave, merged by MAC address with what the guest agent tells. Pure.

Source: kubevirt pkg/network/setup/netstat.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from solovirt.api.kubevirt.virtualmachineinstance import InterfaceStatus
from solovirt.hypervisor.agent_info import Interface

MAX_INTERFACES = 64
MAX_ADDRESSES = 32
_LOOPBACK = "lo"


def merge(domain: list[InterfaceStatus], guest: Sequence[Interface]) -> list[InterfaceStatus]:
    """Ours first, in the spec's order; then what only the guest knows (its bridges and tunnels)."""
    left = [found for found in guest if found.name != _LOOPBACK]
    merged: list[InterfaceStatus] = []
    for ours in domain:
        theirs = next((found for found in left if found.hardware_address.lower() == ours.mac.lower()), None)
        if theirs is None:
            merged.append(ours)
            continue
        left.remove(theirs)
        addresses = _known(ours, _addresses(theirs))
        merged.append(
            InterfaceStatus(
                name=ours.name,
                mac=ours.mac,
                ip_address=addresses[0] if addresses else "",
                ip_addresses=addresses,
                interface_name=theirs.name,
                info_source="domain, guest-agent",
                queue_count=ours.queue_count,
                link_state=ours.link_state,
            )
        )
    merged += [_guest_only(found) for found in left]
    return merged[:MAX_INTERFACES]


def _guest_only(found: Interface) -> InterfaceStatus:
    addresses = _addresses(found)
    return InterfaceStatus(
        mac=found.hardware_address,
        ip_address=addresses[0] if addresses else "",
        ip_addresses=addresses,
        interface_name=found.name,
        info_source="guest-agent",
    )


def _known(ours: InterfaceStatus, theirs: list[str]) -> list[str]:
    """The guest's word; until it has an IPv4 address, ours is the one that DHCP is about to give."""
    if any(":" not in address for address in theirs):
        return theirs
    return [*ours.ip_addresses, *(address for address in theirs if address not in ours.ip_addresses)]


def _addresses(found: Interface) -> list[str]:
    """IPv4 before IPv6, link-local ones last."""

    def rank(address: str) -> tuple[bool, bool]:
        return address.lower().startswith("fe80:"), ":" in address

    texts = [address.ip_address for address in found.ip_addresses if address.ip_address]
    return sorted(texts, key=rank)[:MAX_ADDRESSES]
