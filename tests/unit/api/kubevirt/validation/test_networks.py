import pytest

from ...samples import REMOVED, only, spec_causes

NIC = "domain.devices.interfaces[0]"
P = f"spec.{NIC}"
BRIDGE: dict[str, object] = {f"{NIC}.masquerade": REMOVED, f"{NIC}.bridge": {}}
SRIOV: dict[str, object] = {f"{NIC}.masquerade": REMOVED, f"{NIC}.sriov": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {f"{NIC}.macAddress": "02:00:00:aa:BB:01", f"{NIC}.model": "e1000e", f"{NIC}.bootOrder": 1},
        {f"{NIC}.masquerade": REMOVED, f"{NIC}.bridge": {}, f"{NIC}.macAddress": "02-00-00-00-00-00"},
        {f"{NIC}.ports": [{"port": 80, "name": "http"}, {"port": 53, "protocol": "UDP"}]},
        {"networks[0].pod.vmNetworkCIDR": "10.11.12.0/24", f"{NIC}.pciAddress": "0000:02:00.0"},
        {"networks": [], "domain.devices.interfaces": [], "domain.devices.autoattachPodInterface": False},
    ],
)
def test_good_ones(changes: dict[str, object]) -> None:
    assert spec_causes(changes) == []


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        (
            {f"{NIC}.masquerade": REMOVED},
            P,
            "logical default interface must have exactly one binding method",
        ),
        ({f"{NIC}.bridge": {}}, P, "must have exactly one binding method or binding plugin"),
        ({f"{NIC}.model": "ne1000"}, f"{P}.model", f"interface {P}.name uses model 'ne1000' that is not supported."),
        ({f"{NIC}.macAddress": "02:00:00"}, f"{P}.macAddress", "has malformed MAC address ('02:00:00')."),
        ({f"{NIC}.macAddress": "02:00:00:00:00:0g"}, f"{P}.macAddress", "has malformed MAC address"),
        ({f"{NIC}.macAddress": "02:00:00:00:00:00,x"}, f"{P}.macAddress", "has malformed MAC address"),
        ({f"{NIC}.macAddress": "02:00:00:00:00:00\n"}, f"{P}.macAddress", "has malformed MAC address"),
        ({f"{NIC}.macAddress": "02:00:00:00:00:00:00:00"}, f"{P}.macAddress", "that is too long."),
        ({f"{NIC}.macAddress": "03:00:00:00:00:01"}, f"{P}.macAddress", "of a group"),
        (
            {f"{NIC}.macAddress": "02:00:00:00:00:00"},
            f"{P}.macAddress",
            "The requested MAC address is reserved for the in-pod bridge. Please choose another one.",
        ),
        ({f"{NIC}.bootOrder": 0}, f"{P}.bootOrder", "must have a boot order > 0, if supplied"),
        ({f"{NIC}.pciAddress": "x"}, f"{P}.pciAddress", "has malformed PCI address ('x')."),
        ({f"{NIC}.ports": [{"name": "a"}]}, f"{P}.ports[0].port", "Port field is mandatory."),
        ({f"{NIC}.ports": [{"port": 65536}]}, f"{P}.ports[0].port", "Port field must be in range 0 < x < 65536."),
        ({f"{NIC}.ports": [{"port": -1}]}, f"{P}.ports[0].port", "Port field must be in range 0 < x < 65536."),
        ({f"{NIC}.ports": [{"port": 1, "protocol": "SCTP"}]}, f"{P}.ports[0].protocol", "only TCP or UDP allowed"),
        ({f"{NIC}.ports": [{"port": 1, "name": "A!"}]}, f"{P}.ports[0].name", "Invalid name of the port: 'A!'"),
        (
            {f"{NIC}.ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]},
            f"{P}.ports[1].name",
            "Duplicate name of the port: a",
        ),
        ({"networks[0].pod": REMOVED, f"{NIC}.masquerade": REMOVED, f"{NIC}.bridge": {}}, "spec.networks[0]", "type"),
        ({"networks[0].pod.vmNetworkCIDR": "10.0.2.0/30"}, "spec.networks[0].pod.vmNetworkCIDR", "at least /29"),
        ({"networks[0].pod.vmNetworkCIDR": "10.0.2.0"}, "spec.networks[0].pod.vmNetworkCIDR", "IPv4 network"),
        ({"networks[0].pod.vmNetworkCIDR": "fd00::/64"}, "spec.networks[0].pod.vmNetworkCIDR", "IPv4 network"),
        ({"networks[0].pod.vmNetworkCIDR": "10.0.2.0/24,x"}, "spec.networks[0].pod.vmNetworkCIDR", "IPv4 network"),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == field and message in cause.message


def messages(changes: dict[str, object]) -> list[str]:
    return [cause.message for cause in spec_causes(changes)]


def test_interfaces_and_networks_come_in_pairs() -> None:
    assert messages({"networks[0].name": "other"}) == [
        "spec.networks[0].name 'other' not found.",
        f"{P}.name 'default' not found.",
    ]


def test_masquerade_is_for_the_pod_network() -> None:
    assert f"{P}.name: Masquerade interface only implemented with pod network" in messages({"networks[0].pod": REMOVED})


def test_one_pod_network_only() -> None:
    found = messages(
        {
            "networks[1]": {"name": "second", "pod": {}},
            "domain.devices.interfaces[1]": {"name": "second", "masquerade": {}},
        }
    )
    assert found == ["more than one interface is connected to a pod network in spec.networks"]


def test_names_are_unique_and_plain() -> None:
    found = messages({"domain.devices.interfaces[1]": {"name": "default", "bridge": {}}})
    assert found == [f"{P.replace('[0]', '[1]')}.name: Only one interface can be connected to one specific network"]
    found = messages({"networks[1]": {"name": "default", "pod": {}}})
    assert 'Network with name "default" already exists, every network must have a unique name' in found
    found = messages({f"{NIC}.name": "a b", "networks[0].name": "a b"})
    assert found == [
        f"{P}.name: Network interface name can only contain alphabetical characters, numbers, dashes (-) or"
        " underscores (_)"
    ]


def multus(name: str = "lan", **interface: object) -> dict[str, object]:
    """A second network, an attachment, with its interface."""
    return {
        "networks[1]": {"name": "lan", "multus": {"networkName": name}},
        "domain.devices.interfaces[1]": {"name": "lan", **interface},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {f"{NIC}.state": "absent"},
        multus(bridge={}, state="down"),
        multus(bridge={}, state="absent"),
        multus("ns/vlan-10", sriov={}, bootOrder=1),
        multus(binding={"name": "macvtap"}, tag="storage", acpiIndex=7),
        {f"{NIC}.masquerade": REMOVED, f"{NIC}.passtBinding": {}},
        {"networks[0].pod.vmIPv6NetworkCIDR": "fd10:0:2::/120"},
        {"networks[0].pod": REMOVED, "networks[0].multus": {"networkName": "a", "default": True}} | BRIDGE,
        {"networks[0].pod": REMOVED, "networks[0].resourceClaim": {"claimName": "c", "requestName": "r"}}
        | {f"{NIC}.masquerade": REMOVED, f"{NIC}.sriov": {}},
    ],
)
def test_every_kind_of_attachment(changes: dict[str, object]) -> None:
    assert spec_causes(changes) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (multus(masquerade={}), "Masquerade interface only implemented with pod network"),
        (multus(passtBinding={}), "PasstBinding interface only implemented with pod network"),
        (multus(""), "CNI delegating plugin must have a networkName"),
        (multus("../x", bridge={}), "must be the name of a network attachment"),
        (multus(bridge={}, binding={"name": "x"}), "must have exactly one binding method or binding plugin"),
        (multus(binding={"name": "a b"}), "must be the name of a network binding plugin"),
        (multus(slirp={}), "Slirp interface support has been discontinued since v1.3"),
        (multus(macvtap={}), "Macvtap network binding has been discontinued since v1.3"),
        (multus(passt={}), "Passt network binding has been discontinued since v1.3"),
        (multus(bridge={}, state="gone"), "logical lan interface state value is unsupported: gone"),
        (multus(sriov={}, state="down"), '"lan" interface\'s state "down" is not supported for SR-IOV NICs'),
        (multus(sriov={}, state="absent"), '"lan" interface\'s state "absent" is supported only for bridge binding'),
        (
            BRIDGE
            | {f"{NIC}.state": "absent", "networks[0].pod": REMOVED}
            | {"networks[0].multus": {"networkName": "a", "default": True}},
            'state "absent" is not supported on default networks',
        ),
        ({f"{NIC}.masquerade": REMOVED, f"{NIC}.sriov": {}}, "an SR-IOV interface needs a network attachment"),
        ({f"{NIC}.acpiIndex": 16384}, "must be between 1 and 16383"),
        ({"networks[0].multus": {"networkName": "a"}}, "should have only one network type"),
        ({"networks[0].pod.vmIPv6NetworkCIDR": "fd00::/127"}, "IPv6 network of at least /120"),
        ({"networks[0].pod.vmIPv6NetworkCIDR": "10.0.2.0/24"}, "IPv6 network"),
        (
            {**multus(bridge={}), "networks[1]": {"name": "lan", "multus": {"networkName": "a", "default": True}}},
            "Pod network cannot be defined when Multus default network is defined",
        ),
        (
            {"networks[0].pod": REMOVED, "networks[0].resourceClaim": {"claimName": "c"}} | SRIOV,
            "requestName is required for DRA network",
        ),
        (
            {"networks[0].pod": REMOVED, "networks[0].resourceClaim": {"claimName": "c", "requestName": "r"}} | BRIDGE,
            'DRA network "default" requires an SR-IOV or binding plugin interface',
        ),
    ],
)
def test_attachments_in_kubevirts_words(changes: dict[str, object], message: str) -> None:
    assert any(message in text for text in messages(changes)), messages(changes)


def test_one_default_network() -> None:
    changes = {
        "networks": [{"name": n, "multus": {"networkName": n, "default": True}} for n in ("a", "b")],
        "domain.devices.interfaces": [{"name": n, "bridge": {}} for n in ("a", "b")],
    }
    assert messages(changes) == ["spec.networks: Multus CNI should only have one default network"]
