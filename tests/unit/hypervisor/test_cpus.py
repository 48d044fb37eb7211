"""vCPUs of a QEMU whose guest answers as a test says."""

from __future__ import annotations

import pytest

from solovirt.hypervisor import cpus
from solovirt.hypervisor.cpus import NO_ANSWER, GuestCPU, Place
from solovirt.kit.errors import GuestError
from tests.support.resizable import Machine


async def empty(machine: Machine) -> list[Place]:
    return [place for place in await cpus.places(machine.instance) if not place.path]


async def there(machine: Machine) -> list[Place]:
    return [place for place in await cpus.places(machine.instance) if place.path]


async def test_places_are_told_first_to_last() -> None:
    places = await cpus.places(Machine(sockets=1, most=2, cores=2).instance)
    assert [(one.number, one.socket, one.core, bool(one.path)) for one in places] == [
        (0, 0, 0, True),
        (1, 0, 1, True),
        (2, 1, 0, False),
        (3, 1, 1, False),
    ]
    assert places[2].device == "vcpu2"


async def test_who_runs_them() -> None:
    assert await cpus.emulated(Machine(kvm=False).instance)
    assert not await cpus.emulated(Machine().instance)


async def test_all_are_taken() -> None:
    machine = Machine(most=3)
    assert await cpus.plug(machine.instance, await empty(machine), timeout=60) == {}
    assert machine.sent == ["device_add vcpu1", "device_add vcpu2"]
    assert len(await there(machine)) == 3


async def test_what_the_guest_says_of_each() -> None:
    machine = Machine(most=4)
    machine.taking = {"vcpu1": 0x81, "vcpu2": None, "vcpu3": 0}.get
    said = await cpus.plug(machine.instance, await empty(machine), timeout=0.3)
    assert said == {1: "it could not load a driver", 2: NO_ANSWER}
    assert len(await there(machine)) == 4, "plugged all the same"


async def test_an_insertion_that_goes_on_is_no_answer_yet() -> None:
    machine = Machine(most=2)
    machine.taking = lambda device: 0x80
    assert await cpus.plug(machine.instance, await empty(machine), timeout=0.3) == {1: NO_ANSWER}


async def test_qemu_s_refusal_leaves_those_before() -> None:
    machine = Machine(most=3)
    machine.refuse = {"device_add vcpu2": GuestError("no memory")}
    with pytest.raises(GuestError, match="no memory"):
        await cpus.plug(machine.instance, await empty(machine), timeout=60)
    assert [one.number for one in await there(machine)] == [0, 1]


async def test_they_go_with_those_of_the_start() -> None:
    machine = Machine(sockets=3)
    assert await cpus.unplug(machine.instance, (await there(machine))[1:], timeout=60) == {}
    assert [one.number for one in await there(machine)] == [0]


async def test_why_others_are_still_there() -> None:
    machine = Machine(sockets=4)
    last = (await there(machine))[1:]
    machine.giving = lambda device: {"device[1]": 0, "device[2]": 0x83}.get(device.rpartition("/")[2])
    assert await cpus.unplug(machine.instance, last, timeout=0.3) == {2: "the device is busy", 3: NO_ANSWER}


async def test_qemu_s_word_and_a_request_that_goes_on() -> None:
    machine = Machine(sockets=3)
    one, two = (await there(machine))[1:]
    machine.refuse = {
        f"device_del {one.path}": GuestError("acpi: it is not hotpluggable"),
        f"device_del {two.path}": GuestError("Device x is already in the process of unplug"),
    }
    kept = await cpus.unplug(machine.instance, [one, two], timeout=0.3)
    assert kept == {1: "acpi: it is not hotpluggable", 2: NO_ANSWER}


async def test_a_lost_monitor_is_made_up_for_by_looking() -> None:
    machine = Machine(sockets=2)

    def giving(device: str) -> None:
        del machine.vcpus[1]
        machine.happenings.lost()

    machine.giving = giving
    assert await cpus.unplug(machine.instance, (await there(machine))[1:], timeout=60) == {}


async def test_what_the_guest_sees() -> None:
    machine = Machine(sockets=2)
    machine.agent.cpus = {1: False, 0: True}
    assert await cpus.seen(machine.instance) == (GuestCPU(0, True, False), GuestCPU(1, False, True))
    machine.agent.refuse = {"guest-get-vcpus": GuestError("it is disabled")}
    assert await cpus.seen(machine.instance) is None
    machine.agent.connected = False
    machine.agent.refuse = {}
    assert await cpus.seen(machine.instance) is None


async def test_on_and_off_line_until_the_guest_refuses() -> None:
    machine = Machine(sockets=4)
    machine.agent.stubborn = {2}
    said = await cpus.set_online(machine.instance, [3, 2, 1], online=False)
    assert "busy" in said and "\x1b" not in said
    assert machine.agent.cpus == {0: True, 1: True, 2: True, 3: False}
    assert await cpus.set_online(machine.instance, [3], online=True) == ""
    assert all(machine.agent.cpus.values())
