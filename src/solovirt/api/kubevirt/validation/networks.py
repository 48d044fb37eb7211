"""Rules for networks, and for interfaces with their bindings. Source: kubevirt pkg/network/admitter.

What an interface opens and tells by DHCP is in ``validation.ports``.
"""

from __future__ import annotations

import ipaddress
import re

from solovirt.api.causes import DUPLICATE, INVALID, NOT_SUPPORTED, REQUIRED, Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.api.kubevirt.spec.sources import Network
from solovirt.api.kubevirt.validation.devices import check_boot_order_value, check_count
from solovirt.api.kubevirt.validation.ports import check_dhcp, check_port_ranges, check_ports
from solovirt.api.kubevirt.validation.text import MAX_LENGTH, check_printable, is_pci_address

MAX_NETWORKS = 256
MODELS = ("virtio", "e1000", "e1000e", "igb", "ne2k_pci", "pcnet", "rtl8139")
RESERVED_MAC = "02:00:00:00:00:00"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?P<separator>[:-])(?:[0-9A-Fa-f]{2}(?P=separator)){4,18}[0-9A-Fa-f]{2}")
_MAC_LENGTH = 17
_ATTACHMENT = re.compile(r"(?:[a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_PLUGIN = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")
_SMALLEST_NETWORK = 29
_SMALLEST_NETWORK6 = 120
MAX_ACPI_INDEX = 16383
STATES = ("", "up", "down", "absent")
DISCONTINUED = {
    "slirp": "Slirp interface support has been discontinued since v1.3",
    "passt": "Passt network binding has been discontinued since v1.3",
    "macvtap": "Macvtap network binding has been discontinued since v1.3",
}


def check_networks(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of the VMI spec."""
    networks = {network.name: network for network in spec.networks}
    check_count(causes, spec.networks, f"{field}.networks", MAX_NETWORKS)
    _check_sources(causes, spec.networks, f"{field}.networks")
    _check_pairs(causes, spec, field)
    for index, nic in enumerate(spec.domain.devices.interfaces):
        place = f"{field}.domain.devices.interfaces[{index}]"
        network = networks.get(nic.name)
        _check_interface(causes, nic, place)
        _check_binding(causes, nic, network, place)
        _check_state(causes, nic, network, place)
        check_ports(causes, nic.ports, f"{place}.ports")
        check_port_ranges(causes, nic, place)
        check_dhcp(causes, nic.dhcp_options, f"{place}.dhcpOptions")


def _check_sources(causes: Causes, networks: list[Network], field: str) -> None:
    seen: set[str] = set()
    for index, network in enumerate(networks):
        place = f"{field}[{index}]"
        if network.name in seen:
            text = f'Network with name "{network.name}" already exists, every network must have a unique name'
            causes.add(DUPLICATE, f"{place}.name", text)
        seen.add(network.name)
        sources = sum(source is not None for source in (network.pod, network.multus, network.resource_claim))
        if sources == 0:
            causes.add(REQUIRED, place, f"{place} should have a network type")
        elif sources > 1:
            causes.add(REQUIRED, place, f"{place} should have only one network type")
        _check_pod(causes, network, f"{place}.pod")
        _check_multus(causes, network, place)
        _check_claim(causes, network, f"{place}.resourceClaim")
    _check_defaults(causes, networks, field)


def _check_pod(causes: Causes, network: Network, place: str) -> None:
    if network.pod is None:
        return
    ipv4, ipv6 = network.pod.vm_network_cidr, network.pod.vm_ipv6_network_cidr
    if ipv4 and not _is_network(ipv4):
        text = f"must be an IPv4 network of at least /{_SMALLEST_NETWORK}, like 10.0.2.0/24"
        causes.invalid(f"{place}.vmNetworkCIDR", ipv4, text)
    if ipv6 and not _is_network6(ipv6):
        text = f"must be an IPv6 network of at least /{_SMALLEST_NETWORK6}, like fd10:0:2::/120"
        causes.invalid(f"{place}.vmIPv6NetworkCIDR", ipv6, text)


def _check_multus(causes: Causes, network: Network, place: str) -> None:
    if network.multus is None:
        return
    name = network.multus.network_name
    if not name:
        causes.add(REQUIRED, place, f"{place}: CNI delegating plugin must have a networkName")
    elif not _ATTACHMENT.fullmatch(name) or len(name) > MAX_LENGTH:
        text = "must be the name of a network attachment, or namespace/name"
        causes.invalid(f"{place}.multus.networkName", name, text)


def _check_claim(causes: Causes, network: Network, place: str) -> None:
    claim = network.resource_claim
    if claim is None:
        return
    for name, value in (("claimName", claim.claim_name), ("requestName", claim.request_name)):
        if not value:
            causes.add(REQUIRED, f"{place}.{name}", f"{place}.{name}: {name} is required for DRA network")
        else:
            check_printable(causes, value, f"{place}.{name}", MAX_LENGTH)


def _check_defaults(causes: Causes, networks: list[Network], field: str) -> None:
    """One network at most is the pod's, or stands in for it."""
    pods = sum(network.pod is not None for network in networks)
    defaults = sum(network.multus is not None and network.multus.default is True for network in networks)
    if pods > 1:
        text = f"more than one interface is connected to a pod network in {field}"
        causes.add(DUPLICATE, field, text)
    if defaults > 1:
        causes.add(INVALID, field, f"{field}: Multus CNI should only have one default network")
    if pods and defaults:
        text = "Pod network cannot be defined when Multus default network is defined"
        causes.add(INVALID, field, f"{field}: {text}")
    if any(network.multus for network in networks) and any(network.resource_claim for network in networks):
        text = "mixing Multus and DRA resourceClaim networks in the same VMI is not supported"
        causes.add(INVALID, field, f"{field}: {text}")


def _is_network(text: str) -> bool:
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return False
    return "/" in text and network.prefixlen <= _SMALLEST_NETWORK


def _is_network6(text: str) -> bool:
    try:
        network = ipaddress.IPv6Network(text, strict=False)
    except ValueError:
        return False
    return "/" in text and "%" not in text and network.prefixlen <= _SMALLEST_NETWORK6


def _check_pairs(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    interfaces = spec.domain.devices.interfaces
    names = {nic.name for nic in interfaces}
    for index, network in enumerate(spec.networks):
        if network.name not in names:
            place = f"{field}.networks[{index}].name"
            causes.add(REQUIRED, place, f"{place} '{network.name}' not found.")
    known = {network.name for network in spec.networks}
    seen: set[str] = set()
    for index, nic in enumerate(interfaces):
        place = f"{field}.domain.devices.interfaces[{index}].name"
        if nic.name not in known:
            causes.add(INVALID, place, f"{place} '{nic.name}' not found.")
        if nic.name in seen:
            causes.add(DUPLICATE, place, f"{place}: Only one interface can be connected to one specific network")
        seen.add(nic.name)


def _check_interface(causes: Causes, nic: Interface, field: str) -> None:
    if not _NAME.fullmatch(nic.name):
        text = "Network interface name can only contain alphabetical characters, numbers, dashes (-) or underscores (_)"
        causes.add(INVALID, f"{field}.name", f"{field}.name: {text}")
    if nic.model and nic.model not in MODELS:
        text = f"interface {field}.name uses model {nic.model!r} that is not supported."
        causes.add(NOT_SUPPORTED, f"{field}.model", text)
    check_boot_order_value(causes, nic.boot_order, field)
    if nic.pci_address and not is_pci_address(nic.pci_address):
        text = f"interface {field}.name has malformed PCI address ({nic.pci_address!r})."
        causes.add(INVALID, f"{field}.pciAddress", text)
    if nic.mac_address:
        _check_mac(causes, nic.mac_address, field)
    if nic.acpi_index is not None and not 0 <= nic.acpi_index <= MAX_ACPI_INDEX:
        causes.invalid(f"{field}.acpiIndex", nic.acpi_index, f"must be between 1 and {MAX_ACPI_INDEX}")
    check_printable(causes, nic.tag, f"{field}.tag", MAX_LENGTH)


def _check_mac(causes: Causes, mac: str, field: str) -> None:
    if not _MAC.fullmatch(mac):
        text = f"interface {field}.name has malformed MAC address ({mac[:60]!r})."
    elif len(mac) > _MAC_LENGTH:
        text = f"interface {field}.name has MAC address ({mac}) that is too long."
    elif int(mac[:2], 16) & 1:
        text = f"interface {field}.name has MAC address ({mac}) of a group: its first byte must be even."
    else:
        return
    causes.add(INVALID, f"{field}.macAddress", text)


def _check_binding(causes: Causes, nic: Interface, network: Network | None, field: str) -> None:
    given = nic.bindings()
    for name, text in DISCONTINUED.items():
        if name in given:
            causes.add(INVALID, f"{field}.{name}", f"{field}.{name}: {text}")
    if len(given) != 1:
        text = f"logical {nic.name} interface must have exactly one binding method or binding plugin"
        causes.add(INVALID, field, f"{field}: {text}")
    if nic.binding is not None and not (_PLUGIN.fullmatch(nic.binding.name) and len(nic.binding.name) <= MAX_LENGTH):
        causes.invalid(f"{field}.binding.name", nic.binding.name, "must be the name of a network binding plugin")
    pod = network is None or network.pod is not None
    if nic.masquerade is not None and not pod:
        text = "Masquerade interface only implemented with pod network"
        causes.add(INVALID, f"{field}.name", f"{field}.name: {text}")
    if nic.passt_binding is not None and not pod:
        text = "PasstBinding interface only implemented with pod network"
        causes.add(INVALID, f"{field}.name", f"{field}.name: {text}")
    if nic.sriov is not None and network is not None and network.pod is not None:
        text = "an SR-IOV interface needs a network attachment, not the pod network"
        causes.add(INVALID, f"{field}.name", f"{field}.name: {text}")
    claimed = network is not None and network.resource_claim is not None
    if claimed and nic.sriov is None and nic.binding is None:
        text = f'DRA network "{nic.name}" requires an SR-IOV or binding plugin interface'
        causes.add(INVALID, field, f"{field}: {text}")
    if nic.masquerade is not None and nic.mac_address.replace("-", ":") == RESERVED_MAC:
        text = "The requested MAC address is reserved for the in-pod bridge. Please choose another one."
        causes.add(INVALID, f"{field}.macAddress", f"{field}.macAddress: {text}")


def _check_state(causes: Causes, nic: Interface, network: Network | None, field: str) -> None:
    place, state = f"{field}.state", nic.state
    if state not in STATES:
        text = f"logical {nic.name} interface state value is unsupported: {state}"
        causes.add(INVALID, place, f"{place}: {text}")
    if nic.sriov is not None and state in ("up", "down"):
        text = f'"{nic.name}" interface\'s state "{state}" is not supported for SR-IOV NICs'
        causes.add(INVALID, place, f"{place}: {text}")
    if state != "absent" or (network is not None and network.pod is not None):
        return  # KubeVirt knows no way to unplug from the pod network; here there is one, and a warning.
    if nic.bridge is None:
        text = f'"{nic.name}" interface\'s state "{state}" is supported only for bridge binding'
        causes.add(INVALID, place, f"{place}: {text}")
    if network is not None and network.multus is not None and network.multus.default:
        text = f'"{nic.name}" interface\'s state "{state}" is not supported on default networks'
        causes.add(INVALID, place, f"{place}: {text}")
