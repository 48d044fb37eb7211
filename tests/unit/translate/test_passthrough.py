"""Devices of the host: which list they belong to, and that the device itself is a loss."""

from __future__ import annotations

import pytest

from solovirt.translate import argv
from tests.unit.translate.helpers import at, lost


@pytest.mark.parametrize(
    ("words", "path", "entry"),
    [
        (
            "-device vfio-pci,host=0000:01:00.0,id=ua-gpu-g1",
            "domain.devices.gpus.0",
            {"name": "g1", "deviceName": "example.com/g1"},
        ),
        (
            "-device vfio-pci,sysfsdev=/sys/bus/mdev/devices/x,id=ua-gpu-g1,display=on",
            "domain.devices.gpus.0.virtualGPUOptions",
            {"display": {"enabled": True, "ramFB": {"enabled": False}}},
        ),
        (
            "-device usb-host,hostbus=1,hostaddr=4,id=ua-usb-host-stick",
            "domain.devices.hostDevices.0",
            {"name": "stick", "deviceName": "example.com/stick"},
        ),
        (
            "-device vfio-pci,host=5e:02.1,id=ua-sriov-fast,bootindex=2",
            "domain.devices.interfaces.0",
            {"name": "fast", "sriov": {}, "bootOrder": 2},
        ),
        (
            "-device vfio-pci,host=01:00.0",
            "domain.devices.hostDevices.0",
            {"name": "hostdevice", "deviceName": "example.com/hostdevice"},
        ),
    ],
)
def test_each_kind(words: str, path: str, entry: object) -> None:
    draft = argv.read(words.split())
    assert at(draft, path) == entry
    assert lost(draft) == [words]
