"""Random devices beside disks: networks with their interfaces, and all that a machine has once or in a list."""

from __future__ import annotations

from hypothesis import strategies as st

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.anyvm.draws import fields, flag

MODELS = ["virtio", "virtio", "e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet"]
_ports = st.lists(
    fields({"port": st.integers(1, 65535)}, optional={"protocol": st.sampled_from(["TCP", "UDP"])}),
    max_size=3,
    unique_by=str,
)
_dhcp = fields(
    {},
    optional={
        "bootFileName": st.sampled_from(["pxelinux.0", "a, b"]),
        "tftpServerName": st.just("boot.example.org"),
        "ntpServers": st.just(["192.0.2.1"]),
        "privateOptions": st.just([{"option": 240, "value": "x"}]),
    },
)
_BINDINGS: list[JsonObject] = [
    {"bridge": {}},
    {"binding": {"name": "macvtap"}},
    {"sriov": {}},
]
"""Of networks that are not the pod's."""


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[Json], list[Json]]:
    """(networks, interfaces)"""
    nets: list[Json] = []
    nics: list[Json] = []
    for number in range(draw(st.integers(0, 4))):
        name = f"net{number}"
        nic: JsonObject = draw(
            fields(
                {"name": st.just(name)},
                optional={
                    "model": st.sampled_from(MODELS),
                    "macAddress": st.just(f"02-00-00-00-01-{number:02x}".replace("-", draw(st.sampled_from("-:")))),
                    "bootOrder": st.just(100 + number),
                    "tag": st.just("lan"),
                    "acpiIndex": st.just(number + 1),
                    "dhcpOptions": _dhcp,
                },
            )
        )
        if number == 0:
            nic.update(draw(st.sampled_from([{"masquerade": {}}, {"bridge": {}}, {"passtBinding": {}}])))
            pods: list[JsonObject] = [{}, {"vmNetworkCIDR": "10.1.0.0/16"}, {"vmIPv6NetworkCIDR": "fd10:0:2::/120"}]
            nets.append({"name": name, "pod": draw(st.sampled_from(pods))})
            if ports := draw(_ports):
                nic["ports"] = [*ports]
        else:
            nic.update(draw(st.sampled_from(_BINDINGS)))
            nets.append({"name": name, "multus": {"networkName": f"net-{number}"}})
        if "sriov" not in nic and draw(st.integers(0, 3)) == 0:
            nic["state"] = draw(st.sampled_from(["up", "down", "absent" if "bridge" in nic and number else "up"]))
        nics.append(nic)
    return nets, nics


_inputs = st.lists(
    fields({"type": st.just("tablet")}, optional={"bus": st.sampled_from(["usb", "virtio"])}),
    max_size=3,
).map(lambda items: [{"name": f"tablet{index}", **item} for index, item in enumerate(items)])
_cards = st.lists(st.sampled_from(["hba", "stick", "absent"]), max_size=3, unique=True)
"""Names of host devices; ``host.bindings`` knows what two of them are."""
_states = ["useVirtioTransitional", "disableHotplug", "blockMultiQueue", "networkInterfaceMultiqueue"]
_states += ["autoattachPodInterface", "autoattachGraphicsDevice", "autoattachSerialConsole", "logSerialConsole"]
_states += ["autoattachMemBalloon", "autoattachInputDevice", "autoattachVSOCK"]
_gpu = fields(
    {"name": st.just("gpu1"), "deviceName": st.just("nvidia.com/TU104GL")},
    optional={
        "virtualGPUOptions": st.sampled_from(
            [{"display": {"enabled": False}}, {"display": {}}, {"display": {"ramFB": {"enabled": False}}}]
        ),
        "tag": st.just("compute"),
    },
)

devices: st.SearchStrategy[JsonObject] = fields(
    {},
    optional={
        "inputs": _inputs,
        "rng": st.just({}),
        "watchdog": fields(
            {"name": st.just("dog"), "i6300esb": st.sampled_from([{}, {"action": "poweroff"}, {"action": "reset"}])}
        ),
        "tpm": fields({}, optional={"persistent": flag, "enabled": flag}),
        "sound": fields({"name": st.just("card")}, optional={"model": st.sampled_from(["ich9", "ac97"])}),
        "video": fields({"type": st.sampled_from(["vga", "cirrus", "virtio", "ramfb", "bochs"])}),
        "panicDevices": st.lists(st.sampled_from(["isa", "pvpanic", "hyperv"]), max_size=3, unique=True).map(
            lambda models: [{"model": model} for model in models]
        ),
        "clientPassthrough": st.just({}),
        "downwardMetrics": st.just({}),
        "gpus": st.lists(_gpu, min_size=1, max_size=1),
        "hostDevices": _cards.map(lambda names: [{"name": name, "deviceName": f"a.org/{name}"} for name in names]),
        **{name: flag for name in _states},
    },
)
