"""Tablets."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import inputs
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context, objects, run


def text(devices: str) -> str:
    return f"domain: {{devices: {{{devices}}}}}"


def test_buses() -> None:
    both = text("inputs: [{name: a, type: tablet, bus: usb}, {name: b, type: tablet, bus: virtio}]")
    assert objects(inputs.options(context(both))) == [
        {"driver": "usb-tablet", "id": "ua-a", "bus": "usb.0", "port": "1"},
        {"driver": "virtio-tablet-pci", "id": "ua-b", "bus": "pci.4", "addr": "0x0"},
    ]


def test_automatic() -> None:
    (device,) = objects(inputs.options(context(text("autoattachInputDevice: true"))))
    assert (device["id"], device["driver"]) == ("ua-default-0", "usb-tablet")
    own = context(text("autoattachInputDevice: true, inputs: [{name: a, type: tablet, bus: virtio}]"))
    assert [device["id"] for device in objects(inputs.options(own))] == ["ua-a"]
    assert run(inputs.options, text("autoattachInputDevice: false")) == []


def test_every_wrong_input_is_told() -> None:
    wrong = text("inputs: [{name: a, type: keyboard}, {name: b, type: tablet, bus: ps2}]")
    with pytest.raises(Invalid) as caught:
        run(inputs.options, wrong)
    assert [cause.field for cause in caught.value.causes] == [
        "domain.devices.inputs[0].type",
        "domain.devices.inputs[1].bus",
    ]
