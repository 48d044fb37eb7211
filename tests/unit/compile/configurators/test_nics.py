"""Interfaces as the guest sees them."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile import render
from solovirt.compile.configurators import nics
from solovirt.compile.layout import Place
from solovirt.compile.reasons import default
from solovirt.host.model.bindings import Pins
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
