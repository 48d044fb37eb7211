from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec
import pytest

from solovirt.api.kubevirt.virtualmachineinstance import MemoryStatus, VolumeStatus
from solovirt.api.meta import Condition
from solovirt.controllers.vmi.live.concern import NOTHING, Report, Update, combined
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.hypervisor.instance import Instance
from solovirt.kit.errors import Unavailable
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


def test_reports_are_shown_as_one() -> None:
    one = Report(conditions=(Condition(type="A", status="True"),), memory=MemoryStatus(guest_current="1Gi"), again=9.0)
    other = Report(conditions=(Condition(type="B", status="True"),), volumes={"d": VolumeStatus(name="d")}, again=3.0)
    found = combined({"one": one, "other": other, "quiet": NOTHING})
    assert [condition.type for condition in found.conditions] == ["A", "B"]
    assert found.memory is one.memory
    assert set(found.volumes) == {"d"}
    assert found.again == 3.0
    assert combined({}) == NOTHING


def placed(device: str) -> Callable[[LaunchRecord], LaunchRecord]:
    def change(record: LaunchRecord) -> LaunchRecord:
        pins = msgspec.structs.replace(record.pins, pci={**record.pins.pci, device: "pci.9"})
        return msgspec.structs.replace(record, pins=pins)

    return change


async def test_what_is_remembered_is_durable_and_none_is_lost(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    vmi = lab.vmi("lone")
    vmis = lab.manager._vmis
    update = Update(lab.manager._site, vmis.records, vmi, cast(Instance, None), lambda report: None)
    before = update.record

    await asyncio.gather(update.remember(placed("ua-a")), update.remember(placed("ua-b")))
    assert set(update.record.pins.pci) == {*before.pins.pci, "ua-a", "ua-b"}
    assert vmis.records.pins(vmi.metadata.uid) == update.record.pins


async def test_a_forgotten_machine(lab: Lab) -> None:
    update = Update(lab.manager._site, lab.manager._vmis.records, lone_vmi(), cast(Instance, None), lambda report: None)
    with pytest.raises(Unavailable, match="not remembered"):
        _ = update.record
