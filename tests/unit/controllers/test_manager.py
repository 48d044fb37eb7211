from __future__ import annotations

import asyncio

import pytest

from solovirt.api import registry
from solovirt.api.core.namespace import Namespace
from solovirt.api.meta import ObjectMeta
from solovirt.controllers import adoption
from solovirt.controllers.site import Site
from solovirt.controllers.vmi.reconciler import VirtualMachineInstances
from tests.support.waiting import until
from tests.unit.controllers.lab import VMIS, VMS, Lab, lone_vmi, vm


async def test_stopping_never_stops_a_machine(lab: Lab) -> None:
    await lab.create("Always")
    await lab.manager.stop()
    await lab.manager.stop()
    assert len(lab.host.alive) == 1
    assert lab.host.machine.calls == []


async def test_a_namespace_takes_everything_along(lab: Lab) -> None:
    await lab.objects.create(registry.NAMESPACES, Namespace(metadata=ObjectMeta(name="x")))
    for made in (vm(), vm("Halted", "other")):
        made.metadata.namespace = "x"
        await lab.objects.create(VMS, made)
    lone = lone_vmi()
    lone.metadata.namespace = "x"
    await lab.objects.create(VMIS, lone)
    await lab.settle()
    assert len(lab.host.alive) == 2
    await lab.objects.delete(registry.NAMESPACES, "", "x")
    await lab.settle()
    assert lab.objects.find(registry.NAMESPACES, "", "x") is None
    assert not lab.host.alive
    assert lab.objects.list(registry.EVENTS, "x").items == []


async def test_idle_controllers_write_nothing(lab: Lab) -> None:
    await lab.create("Always")
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    revision = lab.objects.revision
    await lab.pass_(0)
    await lab.pass_(5)
    assert lab.objects.revision == revision
    await lab.restart()
    assert lab.objects.revision == revision


async def test_news_of_a_machine_wait_until_all_is_found(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reconciler that begins before does not know yet which programs and jobs a machine has."""
    await lab.create("Always")
    await lab.settle()
    begun: list[object] = []

    async def sweep(site: Site, machines: VirtualMachineInstances) -> None:
        lab.host.tell(lab.host.machine, "unplugged")
        await until(lambda: len(machines.queue) == 1)
        await asyncio.sleep(0.02)
        begun.extend(machines.queue._active)

    monkeypatch.setattr(adoption, "sweep", sweep)
    await lab.restart()
    assert begun == []
    assert lab.shown() == "Running"
