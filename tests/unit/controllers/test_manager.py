from __future__ import annotations

from solovirt.api import registry
from solovirt.api.core.namespace import Namespace
from solovirt.api.meta import ObjectMeta
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
