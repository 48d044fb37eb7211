"""Interfaces as the guest sees them."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile import render
from solovirt.compile.configurators import nics
from solovirt.compile.layout import Place
from solovirt.compile.reasons import default
from solovirt.host.model.bindings import HostDeviceBinding, NetworkBinding, Pins
from solovirt.kit.errors import HostError, Invalid
from solovirt.kit.json import JsonObject
from tests.golden.cases import host_facts
from tests.unit.compile.helpers import UUID, context, objects, run

TEXT = "domain: {{devices: {{interfaces: [{{name: a, masquerade: {{}}, {}}}]}}}}\nnetworks: [{{name: a, pod: {{}}}}]"


def shown(nic: str = "model: virtio") -> JsonObject:
    (device,) = objects(nics.options(context(TEXT.format(nic))))
    return device


@pytest.mark.parametrize("model", [*nics.EXPRESS, *nics.CONVENTIONAL])
def test_models(model: str) -> None:
    bus = "pci-bridge" if model in nics.CONVENTIONAL else "pci.1"
    found = shown(f"model: {model}")
    assert (found["driver"], found["bus"]) == ((nics.EXPRESS | nics.CONVENTIONAL)[model], bus)
    assert found["netdev"] == "hostua-a"


def test_unset_model_is_virtio() -> None:
    assert shown("ports: []")["driver"] == "virtio-net-pci-non-transitional"


def test_unknown_model() -> None:
    with pytest.raises(Invalid, match='model "vmxnet3" is not supported'):
        shown("model: vmxnet3")


def test_network_boot_needs_a_boot_order() -> None:
    assert shown()["romfile"] == ""
    found = shown("bootOrder: 1")
    assert "romfile" not in found and found["bootindex"] == 1


def test_mac() -> None:
    assert shown()["mac"] == "02:00:00:00:00:01"
    assert shown("macAddress: DE-AD-BE-EF-00-01")["mac"] == "de:ad:be:ef:00:01"
    for bad in ("'01:00:00:00:00:01'", "'02:00'", "'02:00:00:00:00:0,'"):
        with pytest.raises(Invalid, match="is not the MAC address"):
            shown(f"macAddress: {bad}")
    with pytest.raises(HostError, match="no MAC address"):
        run(nics.options, TEXT.format("model: virtio"), pins=Pins(uuid=UUID))


def test_networks_and_interfaces_match() -> None:
    with pytest.raises(Invalid, match='there is no network "a"'):
        run(nics.options, TEXT.format("model: virtio").partition("\n")[0])
    with pytest.raises(Invalid, match='no interface uses network "a"'):
        run(nics.options, "networks: [{name: a, pod: {}}]")
    ctx = context(TEXT.format("model: virtio"))
    ctx.bindings.networks.clear()
    with pytest.raises(HostError, match="has not been resolved"):
        nics.backend(ctx, 0)


def test_one_description_for_command_line_and_hotplug() -> None:
    ctx = context(TEXT.format("model: virtio"))
    device = render.arguments(nics.device(ctx, 0, Place("pci", 3, default("free"))))
    assert (device["bus"], device["netdev"]) == ("pci.3", render.arguments(nics.backend(ctx, 0))["id"])


def test_conventional() -> None:
    assert nics.has_conventional(context(TEXT.format("model: rtl8139")))
    assert not nics.has_conventional(context(TEXT.format("model: e1000e")))


def test_facts_are_for_qemu_7() -> None:
    """igb is compiled here and refused by ``checks`` where QEMU lacks it."""
    assert "igb" not in host_facts().qemu.devices
    assert msgspec.structs.asdict(host_facts().qemu)["version"][0] == 7


def test_an_absent_interface_is_nowhere() -> None:
    ctx = context(TEXT.format("state: absent"))
    assert list(nics.options(ctx)) == [] and list(nics.endpoints(ctx)) == []


def test_a_link_that_is_down() -> None:
    ctx = context(TEXT.format("state: down"))
    assert nics.links_down(ctx.spec) == ("ua-a",)
    assert nics.links_down(context(TEXT.format("state: up")).spec) == ()
    assert next(iter(nics.options(ctx))).why.path == "domain.devices.interfaces[0].state"


def test_acpi_index() -> None:
    assert shown("acpiIndex: 7")["acpi-index"] == 7
    assert "acpi-index" not in shown("acpiIndex: 0")
    with pytest.raises(Invalid, match="between 1 and 16383"):
        shown("acpiIndex: 16384")


def multiqueue(kind: str, model: str = "virtio", cores: int = 4) -> JsonObject:
    text = f"domain: {{cpu: {{cores: {cores}}}, devices: {{networkInterfaceMultiqueue: true, interfaces: "
    text += f"[{{name: a, bridge: {{}}, model: {model}}}]}}}}\nnetworks: [{{name: a, multus: {{networkName: b}}}}]"
    bound = NetworkBinding("a", kind, interface="tap0", socket="/run/p.sock", mtu=9000)
    (device,) = objects(nics.options(context(text, networks={"a": bound}, accel="kvm")))
    return device


def test_a_queue_for_each_vcpu() -> None:
    assert (multiqueue("tap")["mq"], multiqueue("tap")["vectors"]) == (True, 10)
    assert multiqueue("passt")["mq"] is True
    assert "mq" not in multiqueue("user") and "mq" not in multiqueue("tap", "e1000e")
    assert "mq" not in multiqueue("tap", cores=1)


def test_virtio_guests_are_told_the_mtu() -> None:
    assert multiqueue("tap")["host_mtu"] == 9000
    assert "host_mtu" not in multiqueue("tap", "e1000e")


def test_the_hosts_kernel_moves_packets_of_virtio_with_kvm() -> None:
    text = "domain: {devices: {interfaces: [{name: a, bridge: {}}]}}\nnetworks: [{name: a, multus: {networkName: b}}]"
    for accel, wanted in (("kvm", True), ("tcg", False)):
        (netdev,) = objects(nics.options(context(text, accel=accel)), "-netdev")
        assert netdev.get("vhost", False) is wanted


def test_a_function_of_a_card() -> None:
    text = "domain: {devices: {interfaces: [{name: a, sriov: {}, bootOrder: 2, acpiIndex: 3}]}}\n"
    text += "networks: [{name: a, multus: {networkName: b}}]"
    found = context(text, host_devices={"a": HostDeviceBinding("a", "pci", "0000:5e:02.1")})
    assert objects(nics.options(found), "-netdev") == []
    (device,) = objects(nics.options(found))
    assert device == {
        "driver": "vfio-pci", "host": "0000:5e:02.1", "id": "ua-sriov-a", "bus": "pci.1", "addr": "0x0",
        "acpi-index": 3, "bootindex": 2,
    }  # fmt: skip
