"""Rules for what an interface opens (ports) and tells (DHCP options). Source: kubevirt pkg/network/admitter."""

from __future__ import annotations

import ipaddress
import re
from itertools import pairwise

from solovirt.api.causes import DUPLICATE, INVALID, REQUIRED, Causes
from solovirt.api.kubevirt.spec.interfaces import DHCPOptions, Interface, Port, PortRange
from solovirt.api.kubevirt.validation.text import MAX_LENGTH, check_printable

MAX_PORT_RANGES = 10
PRIVATE_OPTIONS = range(224, 255)
_PROTOCOLS = ("TCP", "UDP")
_PORTS = range(1, 65536)
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*")
_PORT_NAME_MAX = 15
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?")


def check_ports(causes: Causes, ports: list[Port], field: str) -> None:
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
        elif port.port not in _PORTS:
            causes.add(INVALID, f"{place}.port", f"{place}: Port field must be in range 0 < x < 65536.")
        if port.protocol not in ("", *_PROTOCOLS):
            text = f"{place}.protocol: Unknown protocol, only TCP or UDP allowed"
            causes.add(INVALID, f"{place}.protocol", text)


def check_port_ranges(causes: Causes, nic: Interface, field: str) -> None:
    """``field`` is the path of the interface."""
    ranges, place = nic.port_ranges, f"{field}.portRanges"
    if not ranges:
        return
    if nic.ports:
        text = "Cannot define both ports and portRanges on interface"
        causes.add(INVALID, f"{field}.name", f"{field}.name: {text}")
    if nic.masquerade is None:
        text = "portRanges are only supported on masquerade interfaces"
        causes.add(INVALID, f"{field}.name", f"{field}.name: {text}")
    if len(ranges) > MAX_PORT_RANGES:
        causes.add(INVALID, place, f"{place}: No more than {MAX_PORT_RANGES} portRanges are allowed")
        return
    good = [one for index, one in enumerate(ranges) if _check_range(causes, one, f"{place}[{index}]")]
    for protocol in _PROTOCOLS:
        found = sorted((one.start, one.end) for one in good if one.protocol == protocol)
        _check_overlaps(causes, found, protocol, place)


def _check_range(causes: Causes, one: PortRange, field: str) -> bool:
    """Whether it is a range at all."""
    if one.protocol not in _PROTOCOLS:
        name, text = "protocol", "Unknown protocol, only TCP or UDP allowed"
    elif one.start not in _PORTS:
        name, text = "start", "Start must be a valid port number, 0 < x < 65536"
    elif one.end not in _PORTS:
        name, text = "end", "End must be a valid port number, 0 < x < 65536"
    elif one.start > one.end:
        name, text = "start", "Start must be less than or equal to end"
    else:
        return True
    causes.add(INVALID, f"{field}.{name}", f"{field}.{name}: {text}")
    return False


def _check_overlaps(causes: Causes, ranges: list[tuple[int, int]], protocol: str, field: str) -> None:
    for (start, end), (next_start, next_end) in pairwise(ranges):
        if next_start <= end:
            text = f"{protocol} portRanges [{start}-{end}] and [{next_start}-{next_end}] overlap"
            causes.add(INVALID, field, f"{field}: {text}")


def check_dhcp(causes: Causes, options: DHCPOptions | None, field: str) -> None:
    if options is None:
        return
    check_printable(causes, options.boot_file_name, f"{field}.bootFileName", MAX_LENGTH // 2)
    server = options.tftp_server_name
    if server and (not _HOST_NAME.fullmatch(server) or len(server) > MAX_LENGTH - 1):
        causes.invalid(f"{field}.tftpServerName", server, "must be a host name or an address")
    for index, text in enumerate(options.ntp_servers):
        place = f"{field}.ntpServers[{index}]"
        if not _is_ipv4(text):
            causes.add(INVALID, place, f"{place}: NTP servers must be a list of valid IPv4 addresses.")
    numbers = [option.option for option in options.private_options]
    if len(set(numbers)) < len(numbers):
        text = "Found Duplicates: you have provided duplicate DHCPPrivateOptions"
        causes.add(INVALID, f"{field}.privateOptions", f"{field}.privateOptions: {text}")
    for index, option in enumerate(options.private_options):
        place = f"{field}.privateOptions[{index}]"
        if option.option not in PRIVATE_OPTIONS:
            text = "provided DHCPPrivateOptions are out of range, must be in range 224 to 254"
            causes.add(INVALID, f"{place}.option", f"{place}: {text}")
        check_printable(causes, option.value, f"{place}.value", MAX_LENGTH - 1)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
