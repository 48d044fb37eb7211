"""Devices of the host in a guest."""

from __future__ import annotations

from solovirt.compile.configurators import controllers, hostdevices
from solovirt.compile.context import Context
from solovirt.host.model.bindings import HostDeviceBinding
from solovirt.kit.json import JsonObject
from tests.unit.compile.helpers import context, objects

MDEV = "/sys/bus/mdev/devices/53764d0e-85a0-42b4-af5c-2046b460b1dc"


def bound(text: str, *devices: HostDeviceBinding) -> Context:
    return context(f"domain: {{devices: {text}}}", host_devices={one.name: one for one in devices})


def shown(text: str, *devices: HostDeviceBinding) -> list[JsonObject]:
    return objects(hostdevices.options(bound(text, *devices)))


def test_pci() -> None:
    (device,) = shown("{gpus: [{name: g, deviceName: a}]}", HostDeviceBinding("g", "pci", "0000:01:00.0"))
    assert (device["driver"], device["host"], device["id"]) == ("vfio-pci", "0000:01:00.0", "ua-gpu-g")
    assert "display" not in device


def test_usb_needs_a_controller() -> None:
    ctx = bound("{hostDevices: [{name: s, deviceName: a}]}", HostDeviceBinding("s", "usb", "1-14"))
    assert controllers.usb_needed(ctx)
    (device,) = objects(hostdevices.options(ctx))
    assert (device["hostbus"], device["hostaddr"], device["bus"]) == (1, 14, "usb.0")


def test_the_first_virtual_gpu_has_a_display() -> None:
    text = "{gpus: [{name: g, deviceName: a}, {name: h, deviceName: a}]}"
    first, second = shown(text, HostDeviceBinding("g", "mdev", MDEV), HostDeviceBinding("h", "mdev", MDEV))
    assert (first["driver"], first["display"], first["ramfb"]) == ("vfio-pci-nohotplug", "on", True)
    assert second["driver"] == "vfio-pci" and "display" not in second


def test_displays_as_the_manifest_says() -> None:
    text = "{gpus: [{name: g, deviceName: a, virtualGPUOptions: {display: {%s}}}]}"
    mdev = HostDeviceBinding("g", "mdev", MDEV)
    assert "display" not in shown(text % "enabled: false", mdev)[0]
    (device,) = shown(text % "ramFB: {enabled: false}", mdev)
    assert device["display"] == "on" and "ramfb" not in device
    pci = HostDeviceBinding("g", "pci", "0000:01:00.0")
    assert "display" not in shown(text % "ramFB: {enabled: true}", pci)[0]
    assert shown(text % "enabled: true", pci)[0]["display"] == "on"


def test_what_is_not_there_is_explained() -> None:
    missing = HostDeviceBinding("g", "pci", "", lacks="this host has none", hint="buy one")
    ctx = bound("{gpus: [{name: g, deviceName: a}]}", missing)
    (option,) = hostdevices.options(ctx)
    assert objects([option])[0]["host"] == "none"
    reasons = [prop.why.text for prop in option.value.props]  # type: ignore[union-attr]
    assert "not startable here: this host has none; buy one" in reasons
