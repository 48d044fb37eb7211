"""Rules for interfaces and networks. Source: kubevirt pkg/network/admitter."""

from __future__ import annotations

import ipaddress
import re

from solovirt.api.causes import DUPLICATE, INVALID, NOT_SUPPORTED, REQUIRED, Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Interface, Port
from solovirt.api.kubevirt.spec.sources import Network
from solovirt.api.kubevirt.validation.devices import check_boot_order_value, check_count
from solovirt.api.kubevirt.validation.text import is_pci_address

MAX_NETWORKS = 256
MODELS = ("virtio", "e1000", "e1000e", "igb", "ne2k_pci", "pcnet", "rtl8139")
RESERVED_MAC = "02:00:00:00:00:00"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?P<separator>[:-])(?:[0-9A-Fa-f]{2}(?P=separator)){4,18}[0-9A-Fa-f]{2}")
_MAC_LENGTH = 17
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*")
_PORT_NAME_MAX = 15
_SMALLEST_NETWORK = 29


def check_networks(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of the VMI spec."""
    networks = {network.name: network for network in spec.networks}
    check_count(causes, spec.networks, f"{field}.networks", MAX_NETWORKS)
    _check_sources(causes, spec.networks, f"{field}.networks")
    _check_pairs(causes, spec, field)
    for index, nic in enumerate(spec.domain.devices.interfaces):
        place = f"{field}.domain.devices.interfaces[{index}]"
        _check_interface(causes, nic, place)
        _check_binding(causes, nic, networks.get(nic.name), place)
        _check_ports(causes, nic.ports, f"{place}.ports")


def _check_sources(causes: Causes, networks: list[Network], field: str) -> None:
    seen: set[str] = set()
    for index, network in enumerate(networks):
        place = f"{field}[{index}]"
        if network.name in seen:
            text = f'Network with name "{network.name}" already exists, every network must have a unique name'
            causes.add(DUPLICATE, f"{place}.name", text)
        seen.add(network.name)
        if network.pod is None:
            causes.add(REQUIRED, place, f"{place} should have a network type")
        elif network.pod.vm_network_cidr and not _is_network(network.pod.vm_network_cidr):
            place = f"{place}.pod.vmNetworkCIDR"
            text = f"must be an IPv4 network of at least /{_SMALLEST_NETWORK}, like 10.0.2.0/24"
            causes.invalid(place, network.pod.vm_network_cidr, text)
    if sum(network.pod is not None for network in networks) > 1:
        text = f"more than one interface is connected to a pod network in {field}"
        causes.add(DUPLICATE, field, text)


def _is_network(text: str) -> bool:
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return False
    return "/" in text and network.prefixlen <= _SMALLEST_NETWORK


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
    if (nic.masquerade is None) == (nic.bridge is None):
        text = f"{field} must have exactly one interface binding method set: masquerade or bridge"
        causes.add(INVALID, field, text)
    if nic.masquerade is None:
        return
    if network is not None and network.pod is None:
        text = f"{field}.name: Masquerade interface only implemented with pod network"
        causes.add(INVALID, f"{field}.name", text)
    if nic.mac_address.replace("-", ":") == RESERVED_MAC:
        text = "The requested MAC address is reserved for the in-pod bridge. Please choose another one."
        causes.add(INVALID, f"{field}.macAddress", f"{field}.macAddress: {text}")


def _check_ports(causes: Causes, ports: list[Port], field: str) -> None:
    names: set[str] = set()
    for index, port in enumerate(ports):
        place = f"{field}[{index}]"
        if port.name in names:
            causes.add(DUPLICATE, f"{place}.name", f"{place}: Duplicate name of the port: {port.name}")
        if port.name and not (_PORT_NAME.fullmatch(port.name) and len(port.name) <= _PORT_NAME_MAX):
            causes.add(INVALID, f"{place}.name", f"{place}: Invalid name of the port: {port.name!r}")
        names.update({port.name} - {""})
        if port.port == 0:
            causes.add(REQUIRED, f"{place}.port", f"{place}: Port field is mandatory.")
        elif not 0 < port.port < 65536:
            causes.add(INVALID, f"{place}.port", f"{place}: Port field must be in range 0 < x < 65536.")
        if port.protocol not in ("", "TCP", "UDP"):
            text = f"{place}.protocol: Unknown protocol, only TCP or UDP allowed"
            causes.add(INVALID, f"{place}.protocol", text)
