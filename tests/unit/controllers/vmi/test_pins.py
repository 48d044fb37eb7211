from __future__ import annotations

import re
import uuid

from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.meta import OwnerReference
from solovirt.controllers.vmi import pins
from solovirt.host.model.bindings import Pins
from tests.unit.controllers.lab import lone_vmi


def test_random_macs_are_local_and_never_the_reserved_one() -> None:
    found = {pins.random_mac() for _ in range(200)}
    assert len(found) == 200
    assert all(re.fullmatch(r"02(:[0-9a-f]{2}){5}", mac) for mac in found)
    assert "02:00:00:00:00:00" not in found


def test_first_start() -> None:
    vmi = lone_vmi()
    made = pins.complete(vmi, None, new_mac=lambda: "02:00:00:00:00:07")
    assert made.macs == {"default": "02:00:00:00:00:07"}
    assert uuid.UUID(made.uuid)


def test_later_starts_change_nothing() -> None:
    vmi = lone_vmi()
    first = pins.complete(vmi, None)
    kept = Pins(machine="pc-q35-7.2", uuid=first.uuid, pci={"x": "pci.1"}, macs=first.macs)
    assert pins.complete(vmi, kept) == kept


def test_the_spec_wins() -> None:
    vmi = lone_vmi()
    vmi.spec.domain.firmware = Firmware(uuid="u", serial="s")
    vmi.spec.domain.devices.interfaces[0].mac_address = "02-AB-00-00-00-01"
    made = pins.complete(vmi, Pins(uuid="old", serial="old", macs={"default": "02:00:00:00:00:09", "gone": "x"}))
    assert (made.uuid, made.serial, made.macs) == ("u", "s", {"default": "02:ab:00:00:00:01"})


def test_key() -> None:
    vmi = lone_vmi()
    vmi.metadata.uid = "own"
    assert pins.key(vmi) == "own"
    vmi.metadata.owner_references = [
        OwnerReference(api_version="kubevirt.io/v1", kind="VirtualMachine", name="n", uid="vm", controller=True)
    ]
    assert pins.key(vmi) == "vm"
