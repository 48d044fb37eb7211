"""All machines measured side by side, within their time, and shared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from solovirt.api import registry
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.api.kubevirt.virtualmachineinstance import InterfaceStatus, VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.controllers import figures as module
from solovirt.controllers.figures import FiguresOfMachines, wiring
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.hypervisor.figures import Figures
from solovirt.hypervisor.meter import Wiring
from tests.support.waiting import until


def vmi(name: str, namespace: str = "default", phase: str = "Running") -> VirtualMachineInstance:
    meta = ObjectMeta(name=name, namespace=namespace, uid=f"uid-{name}")
    made = VirtualMachineInstance(metadata=meta, spec=VirtualMachineInstanceSpec(domain=Domain()))
    made.status.phase = phase
    return made


class Meter:
    """Counts; ``gate`` holds the measurements of a machine back."""

    gates: dict[str, asyncio.Event]
    measured: list[str]
    rested: list[str]

    def __init__(self, instance: SimpleNamespace) -> None:
        self.instance = instance

    async def measure(self, wiring: Wiring) -> Figures:
        Meter.measured.append(self.instance.uid)
        if gate := Meter.gates.get(self.instance.uid):
            await gate.wait()
        return Figures(at=float(len(Meter.measured)), errors=("odd",) if self.instance.uid == "uid-odd" else ())

    async def rest(self) -> None:
        Meter.rested.append(self.instance.uid)


class World:
    def __init__(self) -> None:
        self.vmis = [vmi("a"), vmi("b"), vmi("far", "other"), vmi("off", phase="Scheduled")]
        self.instances = {v.metadata.uid: SimpleNamespace(uid=v.metadata.uid, console_open=False) for v in self.vmis}
        site: Any = SimpleNamespace(
            objects=SimpleNamespace(list=lambda resource: SimpleNamespace(items=self.listed(resource))),
            hypervisor=SimpleNamespace(get=self.instances.get),
            facts=SimpleNamespace(node_name="node", memory=7, accel="tcg"),
        )
        records: Any = SimpleNamespace(launch=lambda uid: None)
        self.figures = FiguresOfMachines(site, records, lambda: {"vm": 3})

    def listed(self, resource: object) -> list[VirtualMachineInstance]:
        assert resource is registry.VIRTUAL_MACHINE_INSTANCES
        return self.vmis


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    Meter.gates, Meter.measured, Meter.rested = {}, [], []
    monkeypatch.setattr(module, "Meter", Meter)
    made = World()
    yield made
    await made.figures.close()


async def names(world: World, *scope: str) -> list[str]:
    return [found.name for found in await world.figures.measure(*scope)]


async def test_those_that_run_in_their_namespaces(world: World) -> None:
    assert await names(world) == ["a", "b", "far"]
    assert await names(world, "other") == ["far"]
    assert await names(world, "default", "b") == ["b"]
    assert await names(world, "nowhere") == []


async def test_what_is_fresh_is_shared(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await asyncio.gather(world.figures.measure(), world.figures.measure("default"))
    await world.figures.measure()
    assert sorted(Meter.measured) == ["uid-a", "uid-b", "uid-far"]
    monkeypatch.setattr(module, "SHARED", 0.0)
    await world.figures.measure("default", "a")
    assert Meter.measured.count("uid-a") == 2


async def test_one_that_hangs_keeps_nobody_waiting_for_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 1.0)
    Meter.gates["uid-a"] = asyncio.Event()
    found = {one.name: one for one in await asyncio.wait_for(world.figures.measure(), 60)}
    assert found["b"].figures is not None and found["b"].errors == ()
    assert found["a"].figures is None
    assert found["a"].errors == ("not measured within 1 s",)


async def test_who_leaves_early_ends_no_measurement(world: World) -> None:
    Meter.gates["uid-a"] = asyncio.Event()
    asked = asyncio.create_task(world.figures.measure())
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    other = asyncio.create_task(world.figures.measure("default", "a"))
    await asyncio.sleep(0)
    Meter.gates["uid-a"].set()
    assert [one.figures is not None for one in await other] == [True]
    assert Meter.measured.count("uid-a") == 1


async def test_one_that_ends_meanwhile_is_not_there(world: World) -> None:
    gate = Meter.gates["uid-a"] = asyncio.Event()
    asked = asyncio.create_task(world.figures.measure())
    await until(lambda: "uid-a" in Meter.measured)
    del world.instances["uid-a"]
    gate.set()
    assert [one.name for one in await asked] == ["b", "far"]


async def test_nothing_is_kept_of_machines_that_are_gone(world: World) -> None:
    await world.figures.measure()
    world.vmis = [vmi("b")]
    await world.figures.measure()
    figures = world.figures
    assert set(figures._meters) == set(figures._begun) == set(figures._results) == {"uid-b"}


async def test_a_machine_that_was_started_again_gets_a_meter_of_its_own(world: World) -> None:
    await world.figures.measure("default", "a")
    before = world.figures._meters["uid-a"]
    world.instances["uid-a"] = SimpleNamespace(uid="uid-a", console_open=True)
    world.figures._begun.clear()
    (found,) = await world.figures.measure("default", "a")
    assert world.figures._meters["uid-a"] is not before
    assert found.console_open


async def test_guests_rest_when_nobody_asks_any_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST_AFTER", 0.02)
    await world.figures.measure("default")
    assert Meter.rested == []
    await until(lambda: sorted(Meter.rested) == ["uid-a", "uid-b"])


async def test_errors_of_a_measurement(world: World) -> None:
    world.vmis.append(vmi("odd"))
    world.instances["uid-odd"] = SimpleNamespace(uid="uid-odd", console_open=False)
    (found,) = await world.figures.measure("default", "odd")
    assert found.errors == ("odd",)


def test_host_and_queues(world: World) -> None:
    assert world.figures.host().node == "node"
    assert world.figures.host().cpus > 0
    assert world.figures.queues() == {"vm": 3}


def test_interfaces_by_address_and_by_tap_device() -> None:
    machine = vmi("a")
    machine.spec.domain.devices.interfaces = [Interface(name="default"), Interface(name="lan")]
    machine.status.interfaces = [
        InterfaceStatus(name="default", mac="02:AA:00:00:00:01"),
        InterfaceStatus(mac="02:00:00:00:00:99", interface_name="docker0"),
    ]
    argv = (
        "/usr/bin/qemu-system-x86_64",
        "-netdev",
        '{"type":"user","id":"hostua-default"}',
        "-netdev",
        '{"type":"tap","id":"hostua-lan","ifname":"tap3"}',
        "-netdev",
        '{"type":"tap","id":"hostua-gone","ifname":"tap4"}',
    )
    found = wiring(machine, LaunchRecord(namespace="default", name="a", uuid="u", argv=argv))
    assert found.macs == {"02:aa:00:00:00:01": "default"}
    assert found.taps == {"lan": "tap3"}
    assert wiring(machine, None).taps == {}
