from __future__ import annotations

import asyncio

from solovirt.api import registry
from solovirt.controllers.vmi.launcher import _Pulls
from solovirt.host.images.pull import Progress
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


async def test_what_is_remembered_of_a_launch(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    vmi = lab.vmi("lone")
    record = lab.manager._vmis.records.launch(vmi.metadata.uid)
    assert record is not None
    assert (record.namespace, record.name, record.paused) == ("default", "lone", False)
    assert {"-S", "-no-shutdown", "-uuid"} <= set(record.argv)
    pins = lab.manager._vmis.records.pins(vmi.metadata.uid)
    assert pins is not None
    assert pins.uuid == record.uuid
    assert pins.pci, "the layout that compile chose"


async def test_a_paused_start(lab: Lab) -> None:
    made = lone_vmi()
    made.spec.start_strategy = "Paused"
    await lab.objects.create(VMIS, made)
    await lab.settle()
    assert lab.host.machine.identity.paused
    assert any(condition.type == "Paused" for condition in lab.vmi("lone").status.conditions)


async def test_pulls_are_told_once(lab: Lab) -> None:
    vmi = await lab.objects.create(VMIS, lone_vmi())
    pulls = _Pulls(lab.manager._site, vmi, asyncio.get_running_loop())
    for phase, done in (("resolving", 0), ("pulling", 10), ("pulling", 20)):
        pulls.report(Progress("registry/image:1", phase, done, 3 << 20))
    await asyncio.sleep(0)
    pulls.done()
    await lab.settle()
    events = {event.reason: event.message for event in lab.objects.list(registry.EVENTS).items}
    assert events["Pulling"] == 'Pulling image "registry/image:1" (3.0 MiB)'
    assert events["Pulled"] == 'Successfully pulled image "registry/image:1"'
