"""Names and places of virtio devices."""

from __future__ import annotations

from solovirt.compile import virtio
from solovirt.compile.configurators import balloon, nics, ports
from solovirt.compile.reasons import default
from solovirt.kit.json import JsonObject
from tests.unit.compile.helpers import context, objects

OLD = """
domain: {devices: {useVirtioTransitional: true, interfaces: [{name: n, masquerade: {}}]}}
networks: [{name: n, pod: {}}]
"""


def bus_of(device: JsonObject) -> object:
    return device["bus"]


def test_modern_devices_are_the_rule() -> None:
    ctx = context("domain: {devices: {useVirtioTransitional: false}}")
    prop = virtio.driver(ctx, "virtio-blk", default("a disk"))
    assert (prop.value, prop.why.text) == ("virtio-blk-pci-non-transitional", "a disk")
    assert virtio.pool(ctx) == "pci" and not virtio.transitional(ctx)


def test_transitional_devices_say_why_and_sit_on_the_bridge() -> None:
    ctx = context(OLD)
    prop = virtio.driver(ctx, "virtio-blk", default("a disk"))
    assert (prop.value, prop.why.path) == ("virtio-blk-pci-transitional", virtio.PATH)
    (nic,) = objects(nics.options(ctx))
    (memory,) = objects(balloon.options(ctx))
    assert (nic["driver"], bus_of(nic)) == ("virtio-net-pci-transitional", "pci-bridge")
    assert (memory["driver"], bus_of(memory)) == ("virtio-balloon-pci-transitional", "pci-bridge")
    assert any(device["driver"] == "pcie-pci-bridge" for device in objects(ports.options(ctx)))


def test_devices_on_the_bridge_are_no_nics() -> None:
    ctx = context("domain: {devices: {useVirtioTransitional: true}}")
    without_nics = context()
    assert ctx.layout.places["scsi0"].index == without_nics.layout.places["scsi0"].index == 1
