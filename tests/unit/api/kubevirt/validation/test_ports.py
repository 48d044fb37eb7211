"""What an interface opens and what it tells by DHCP."""

from __future__ import annotations

import pytest

from ...samples import REMOVED, only, spec_causes

NIC = "domain.devices.interfaces[0]"
P = f"spec.{NIC}"
TCP = {"protocol": "TCP", "start": 1, "end": 10}


@pytest.mark.parametrize(
    "changes",
    [
        {f"{NIC}.ports": [{"name": "http", "port": 80}, {"port": 53, "protocol": "UDP"}]},
        {f"{NIC}.portRanges": [TCP, {"protocol": "UDP", "start": 1, "end": 10}, {**TCP, "start": 11, "end": 11}]},
        {f"{NIC}.dhcpOptions": {"bootFileName": "pxe", "tftpServerName": "10.0.0.1", "ntpServers": ["10.0.0.2"]}},
        {f"{NIC}.dhcpOptions": {"privateOptions": [{"option": 224, "value": "a"}, {"option": 254, "value": "b"}]}},
    ],
)
def test_good_ones(changes: dict[str, object]) -> None:
    assert spec_causes(changes) == []


@pytest.mark.parametrize(
    ("ranges", "field", "message"),
    [
        ([{**TCP, "protocol": "SCTP"}], "[0].protocol", "only TCP or UDP allowed"),
        ([{**TCP, "protocol": ""}], "[0].protocol", "only TCP or UDP allowed"),
        ([{**TCP, "start": 0}], "[0].start", "Start must be a valid port number, 0 < x < 65536"),
        ([{**TCP, "end": 65536}], "[0].end", "End must be a valid port number, 0 < x < 65536"),
        ([{**TCP, "start": 11}], "[0].start", "Start must be less than or equal to end"),
        ([TCP, {**TCP, "start": 10, "end": 20}], "", "TCP portRanges [1-10] and [10-20] overlap"),
        ([{**TCP, "start": n, "end": n} for n in range(1, 12)], "", "No more than 10 portRanges are allowed"),
    ],
)
def test_port_ranges(ranges: list[dict[str, object]], field: str, message: str) -> None:
    cause = only(spec_causes({f"{NIC}.portRanges": ranges}))
    assert cause.field == f"{P}.portRanges{field}" and message in cause.message


def test_port_ranges_stand_alone_and_with_masquerade() -> None:
    cause = only(spec_causes({f"{NIC}.portRanges": [TCP], f"{NIC}.ports": [{"port": 80}]}))
    assert "Cannot define both ports and portRanges on interface" in cause.message
    cause = only(spec_causes({f"{NIC}.portRanges": [TCP], f"{NIC}.masquerade": REMOVED, f"{NIC}.bridge": {}}))
    assert "portRanges are only supported on masquerade interfaces" in cause.message


@pytest.mark.parametrize(
    ("options", "field", "message"),
    [
        ({"ntpServers": ["time.example.org"]}, "ntpServers[0]", "NTP servers must be a list of valid IPv4 addresses."),
        ({"ntpServers": ["fd00::1"]}, "ntpServers[0]", "NTP servers must be a list of valid IPv4 addresses."),
        ({"privateOptions": [{"option": 223, "value": "a"}]}, "privateOptions[0].option", "in range 224 to 254"),
        (
            {"privateOptions": [{"option": 240, "value": "a"}, {"option": 240, "value": "b"}]},
            "privateOptions",
            "you have provided duplicate DHCPPrivateOptions",
        ),
        ({"bootFileName": "a\nb"}, "bootFileName", "control characters"),
        ({"tftpServerName": "a b"}, "tftpServerName", "must be a host name or an address"),
    ],
)
def test_dhcp_options(options: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes({f"{NIC}.dhcpOptions": options}))
    assert cause.field == f"{P}.dhcpOptions.{field}" and message in cause.message
