"""Controllers."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import controllers
from tests.unit.compile.helpers import context, objects


def drivers(text: str) -> list[object]:
    return [device["driver"] for device in objects(controllers.options(context(text)))]


def test_always() -> None:
    assert drivers("") == ["virtio-scsi-pci-non-transitional", "virtio-serial-pci-non-transitional"]


@pytest.mark.parametrize(
    "devices",
    [
        "inputs: [{name: a, type: tablet, bus: usb}]",
        "inputs: [{name: a, type: tablet}]",
        "autoattachInputDevice: true",
        "disks: [{name: a, disk: {bus: usb}}]",
    ],
)
def test_usb_when_needed(devices: str) -> None:
    text = f"domain: {{devices: {{{devices}}}}}"
    assert drivers(text)[0] == "qemu-xhci"
    assert controllers.usb_needed(context(text))


def test_usb_is_not_there_for_others() -> None:
    assert not controllers.usb_needed(context("domain: {devices: {inputs: [{name: a, type: tablet, bus: virtio}]}}"))
