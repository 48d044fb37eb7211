"""Plugging against a QEMU whose answers a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from solovirt.hypervisor import plugging
from solovirt.hypervisor.happenings import Happenings
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.plugging import Unit, refused
from solovirt.kit.errors import GuestError, Unavailable
from solovirt.kit.json import Json, JsonObject

DISK = Unit(
    device="ua-d",
    before=(("blockdev-add", {"node-name": "s"}), ("blockdev-add", {"node-name": "f"})),
    plug=(("device_add", {"id": "ua-d"}),),
    after=(("blockdev-del", {"node-name": "f"}), ("blockdev-del", {"node-name": "s"})),
)
GONE: JsonObject = {"device": "ua-d", "path": "/machine/peripheral/ua-d"}


class Machine:
    """``refuse`` are commands that QEMU does not take; ``react`` runs when device_del comes."""

    uid = "uid"

    def __init__(self) -> None:
        self.happenings = Happenings()
        self.sent: list[str] = []
        self.refuse: dict[str, GuestError] = {}
        self.devices: list[Json] = [{"name": "ua-d", "type": "child<virtio-blk-pci>"}, {"name": "type", "type": "str"}]
        self.react: Callable[[], None] = lambda: None

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30) -> Json:
        given = arguments or {}
        word = f"{command} {given.get('node-name', given.get('id', ''))}".rstrip()
        self.sent.append(word)
        if word in self.refuse:
            raise self.refuse[word]
        if command == "qom-list":
            return self.devices
        if command == "device_del":
            asyncio.get_running_loop().call_soon(self.react)
        return {}

    @property
    def instance(self) -> Instance:
        return cast(Instance, self)


async def test_what_is_there() -> None:
    assert await plugging.present(Machine().instance) == {"ua-d": "virtio-blk-pci"}


async def test_a_device_comes_after_its_backends() -> None:
    machine = Machine()
    await plugging.plug(machine.instance, DISK)
    assert machine.sent == ["blockdev-add s", "blockdev-add f", "device_add ua-d"]


@pytest.mark.parametrize("step", ["blockdev-add f", "device_add ua-d"])
async def test_a_refused_step_undoes_the_ones_before(step: str) -> None:
    machine = Machine()
    machine.refuse = {step: GuestError("no", reason="GenericError"), "blockdev-del f": GuestError("not found")}
    with pytest.raises(GuestError, match=r"^no$"):
        await plugging.plug(machine.instance, DISK)
    assert machine.sent[-2:] == ["blockdev-del f", "blockdev-del s"]


async def test_a_device_goes_before_its_backends() -> None:
    machine = Machine()

    def react() -> None:
        machine.happenings.tell("DEVICE_DELETED", {"path": "/machine/peripheral/ua-d/virtio-backend"})
        machine.happenings.tell("DEVICE_DELETED", GONE)

    machine.react = react
    await plugging.unplug(machine.instance, "ua-d", DISK.after)
    assert machine.sent == ["device_del ua-d", "blockdev-del f", "blockdev-del s"]


async def test_a_guest_that_refuses_keeps_device_and_backends() -> None:
    machine = Machine()
    machine.react = lambda: machine.happenings.tell("DEVICE_UNPLUG_GUEST_ERROR", GONE)
    with pytest.raises(GuestError, match="the guest keeps ua-d: it refused the request") as caught:
        await plugging.unplug(machine.instance, "ua-d", DISK.after)
    assert caught.value.reason == "UnplugRefused"
    assert machine.sent == ["device_del ua-d"]


async def test_a_guest_that_does_not_react() -> None:
    machine = Machine()
    with pytest.raises(GuestError, match="did not let ua-d go") as caught:
        await plugging.unplug(machine.instance, "ua-d", timeout=0.01)
    assert caught.value.reason == "UnplugTimeout"


async def test_what_is_not_there_is_gone_already_and_its_backends_go() -> None:
    machine = Machine()
    machine.refuse = {"device_del ua-d": GuestError("Device 'ua-d' not found", reason="DeviceNotFound")}
    await plugging.unplug(machine.instance, "ua-d", DISK.after)
    assert machine.sent[-2:] == ["blockdev-del f", "blockdev-del s"]


async def test_a_second_request_waits_for_the_first() -> None:
    machine = Machine()
    text = "Device ua-d is already in the process of unplug"
    machine.refuse = {"device_del ua-d": GuestError(text, reason="GenericError")}
    asyncio.get_running_loop().call_later(0.01, machine.happenings.tell, "DEVICE_DELETED", GONE)
    await plugging.unplug(machine.instance, "ua-d")


async def test_other_refusals_of_qemu_are_told() -> None:
    machine = Machine()
    machine.refuse = {"device_del ua-d": GuestError("Device 'ua-d' is not hotpluggable", reason="GenericError")}
    with pytest.raises(GuestError, match="not hotpluggable"):
        await plugging.unplug(machine.instance, "ua-d")


@pytest.mark.parametrize("left", [True, False])
async def test_a_lost_monitor_is_made_up_for_by_looking(left: bool) -> None:
    machine = Machine()
    if not left:
        machine.devices = []
    machine.react = machine.happenings.lost
    if left:
        with pytest.raises(GuestError):
            await plugging.unplug(machine.instance, "ua-d", timeout=0.05)
    else:
        await plugging.unplug(machine.instance, "ua-d")


async def test_who_cannot_look_says_so() -> None:
    machine = Machine()

    def react() -> None:
        machine.happenings.lost()
        machine.refuse = {"qom-list": cast(GuestError, Unavailable("no monitor"))}

    machine.react = react
    with pytest.raises(Unavailable):
        await plugging.unplug(machine.instance, "ua-d")


def ost(device: str, source: int, status: int) -> tuple[str, JsonObject]:
    return "ACPI_DEVICE_OST", {"info": {"device": device, "source": source, "status": status, "slot-type": "DIMM"}}


def test_the_guest_s_words() -> None:
    assert refused(ost("d", 3, 0x84), "d") is None, "an ejection that goes on (the slides' 132)"
    assert refused(ost("d", 3, 0), "d") is None
    assert refused(ost("d", 1, 1), "d") is None, "source 1 is about the insertion"
    assert refused(ost("e", 3, 1), "d") is None
    assert refused(ost("d", 3, 1), "d") == "it failed for no given reason"
    assert refused(ost("d", 3, 0x83), "d") == "the device is busy"
    assert refused(ost("d", 3, 0x99), "d") == "ACPI status 0x99"
    assert refused(("MEM_UNPLUG_ERROR", {"device": "d", "msg": "in\x1b[31m use"}), "d") not in (None, "")
    assert "\x1b" not in (refused(("MEM_UNPLUG_ERROR", {"device": "d", "msg": "in\x1b[31m use"}), "d") or "")
    assert refused(("MEM_UNPLUG_ERROR", {"device": "e", "msg": "x"}), "d") is None
    assert refused(("RESUME", {}), "d") is None
