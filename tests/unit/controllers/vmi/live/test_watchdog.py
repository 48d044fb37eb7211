from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.devices import Watchdog, WatchdogDevice
from solovirt.controllers.vmi.live import watchdog
from solovirt.controllers.vmi.live.concern import Report
from solovirt.controllers.vmi.live.outcome import Outcome
from solovirt.hypervisor import plugging
from solovirt.kit.errors import GuestError
from solovirt.kit.json import JsonObject
from tests.unit.controllers.lab import Lab, lone_vmi

from .qemu import Bench, bench


@pytest.fixture
async def machine(lab: Lab) -> Bench:
    """It was started with the watchdog "dog"."""
    vmi = lone_vmi()
    vmi.spec.domain.devices.watchdog = dog()
    found = await bench(lab, vmi)
    found.qemu.devices = {"ua-dog": {"driver": "i6300esb"}, **BRIDGE}
    return found


BRIDGE: dict[str, JsonObject] = {"pci-bridge": {"driver": "pcie-pci-bridge"}}


def dog(action: str = "reset", name: str = "dog") -> Watchdog:
    return Watchdog(name=name, i6300esb=WatchdogDevice(action=action))


async def apply(found: Bench, wanted: Watchdog | None) -> Report:
    found.vmi.spec.domain.devices.watchdog = wanted
    outcome = Outcome(found.update, "DevicesChange")
    await watchdog.apply(found.update, outcome)
    return outcome.report()


async def test_the_action_is_told_each_time(machine: Bench) -> None:
    assert (await apply(machine, dog("poweroff"))).conditions == ()
    assert machine.qemu.sent == [("set-action", {"watchdog": "poweroff"})]


async def test_it_goes_and_comes_at_the_same_place(machine: Bench) -> None:
    place = machine.update.record.pins.pci["ua-dog"]
    assert (await apply(machine, None)).conditions == ()
    assert machine.qemu.devices == BRIDGE
    assert "ua-dog" not in machine.update.record.pins.pci
    await apply(machine, dog("shutdown"))
    made = machine.qemu.devices["ua-dog"]
    assert (made["bus"], made["addr"]) == ("pci-bridge", "0x1")
    assert machine.update.record.pins.pci["ua-dog"] == place
    assert machine.qemu.commands("set-action", "device_add") == ["set-action", "device_add"], (
        "never with another action"
    )
    assert (await machine.reasons())[-2:] == ["WatchdogUnplugged", "WatchdogPlugged"]


async def test_another_name_is_another_watchdog(machine: Bench) -> None:
    await apply(machine, dog(name="cat"))
    assert set(machine.qemu.devices) == {"ua-cat", "pci-bridge"}


async def test_what_is_refused(machine: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugging.unplug, "__kwdefaults__", {"timeout": 0.01})
    machine.qemu.obedient = False
    [told] = (await apply(machine, None)).conditions
    assert (told.reason, told.message[:13]) == ("UnplugTimeout", "watchdog dog:")
    machine.qemu.devices = {"ua-cat": {"driver": "virtio-blk-pci"}, **BRIDGE}
    [told] = (await apply(machine, dog(name="cat"))).conditions
    assert told.reason == "NameTaken"
    machine.qemu.devices = dict(BRIDGE)
    machine.qemu.refuse = {"device_add ua-cat": GuestError("no", reason="GenericError")}
    [told] = (await apply(machine, dog(name="cat"))).conditions
    assert told.message == "watchdog cat: no"
    assert "ua-cat" not in machine.update.record.pins.pci


async def test_a_machine_without_a_bridge(lab: Lab) -> None:
    found = await bench(lab)
    report = await apply(found, dog())
    [told] = report.conditions
    assert (told.status, told.reason, report.again) == ("False", "RestartRequired", None)
    assert found.qemu.commands("device_add") == []
