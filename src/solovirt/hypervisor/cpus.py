"""vCPUs that come and go while the machine runs: the places that QEMU has for them, plugging, the unplug protocol.

The guest says by ACPI_DEVICE_OST what became of a request; a vCPU that is gone is missing in query-hotpluggable-cpus,
whatever events came (QEMU 7.2 under emulation tells of the local APIC only). Sources: QEMU qapi/machine.json,
docs/system/cpu-hotplug.rst, hw/acpi/cpu.c; ACPI 6.5, 6.3.5 (_OST).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from solovirt.hypervisor.happenings import Event, Listener
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.plugging import EJECT, INSERT, PENDING, TAKING, ost_text
from solovirt.kit.errors import GuestError, TimedOut, Unavailable
from solovirt.kit.json import JsonObject, get_int, get_object, get_str
from solovirt.kit.text import printable

ONLINE_TIMEOUT = 60.0
"""Seconds for one CPU: Linux stops all others for it, which takes emulated ones of a busy host seconds."""
NO_ANSWER = ""
"""What a guest said that said nothing."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a vCPU is or may be. ``number`` is its ACPI slot, ``path`` the QOM path of the vCPU in it ("" for none);
    ``kind`` and ``props`` are what QEMU wants to hear to plug one."""

    number: int
    socket: int
    core: int
    thread: int
    kind: str
    props: JsonObject
    path: str = ""

    @property
    def device(self) -> str:
        """The id under which we plug."""
        return f"vcpu{self.number}"


async def places(instance: Instance) -> tuple[Place, ...]:
    """All, the machine's first vCPU first. QEMU lists them the other way round."""
    reply = await instance.qmp("query-hotpluggable-cpus")
    entries = [entry for entry in reply if isinstance(entry, dict)] if isinstance(reply, list) else []
    return tuple(_place(number, entry) for number, entry in enumerate(reversed(entries)))


def _place(number: int, entry: JsonObject) -> Place:
    props = get_object(entry, "props")
    return Place(
        number=number,
        socket=get_int(props, "socket-id"),
        core=get_int(props, "core-id"),
        thread=get_int(props, "thread-id"),
        kind=get_str(entry, "type"),
        props=props,
        path=get_str(entry, "qom-path"),
    )


async def emulated(instance: Instance) -> bool:
    """Whether vCPUs are emulated (TCG) instead of run by KVM."""
    reply = await instance.qmp("query-kvm")
    return not (isinstance(reply, dict) and reply.get("enabled") is True)


async def plug(instance: Instance, wanted: Sequence[Place], *, timeout: float) -> Mapping[int, str]:
    """Adds vCPUs to empty places, and waits until the guest has answered for each of them.

    Returns what it said of those that it did not take, by number; NO_ANSWER for those of which it said nothing within
    ``timeout`` seconds (they are plugged all the same). When QEMU refuses one its ``GuestError`` is raised; those
    before it stay plugged.
    """
    with instance.happenings.listen() as events:
        for place in wanted:
            await instance.qmp("device_add", {"driver": place.kind, "id": place.device, **place.props})
        waiting = {place.number for place in wanted}
        said: dict[int, str] = {}
        deadline = time.monotonic() + timeout
        while waiting and (event := await _next(events, deadline)) is not None:
            answer = _answer(event, INSERT, waiting)
            if answer is not None and answer[1] != TAKING:
                waiting.discard(answer[0])
                if answer[1]:
                    said[answer[0]] = ost_text(answer[1], INSERT)
        return {**said, **dict.fromkeys(waiting, NO_ANSWER)}


async def unplug(instance: Instance, wanted: Sequence[Place], *, timeout: float) -> Mapping[int, str]:
    """Removes vCPUs with the guest's consent, those of the machine's start too (but never its first).

    Returns why the others are still there, by number: the guest's or QEMU's word, NO_ANSWER where the guest did not
    react within ``timeout`` seconds (it may yet let them go).
    """
    kept: dict[int, str] = {}
    with instance.happenings.listen() as events:
        for place in wanted:
            try:
                await instance.qmp("device_del", {"id": place.path})
            except GuestError as error:
                if "already in the process of unplug" not in str(error):
                    kept[place.number] = error.message
        waiting = {place.number for place in wanted} - set(kept)
        deadline = time.monotonic() + timeout
        while waiting and (event := await _next(events, deadline)) is not None:
            answer = _answer(event, EJECT, waiting)
            if answer is not None and answer[1] not in PENDING:
                waiting.discard(answer[0])
                kept[answer[0]] = ost_text(answer[1])
            elif event[0] == "DEVICE_DELETED" or (answer is not None and not answer[1]):
                waiting &= await _plugged(instance)
        waiting &= await _plugged(instance)
    return {**kept, **dict.fromkeys(waiting, NO_ANSWER)}


async def _next(events: Listener, deadline: float) -> Event | None:
    """None when the time is over; a lost monitor counts as something that happened."""
    try:
        return await events.next(max(deadline - time.monotonic(), 0.0))
    except TimedOut:
        return None
    except Unavailable:
        return ("DEVICE_DELETED", {})


def _answer(event: Event, source: int, waiting: Collection[int]) -> tuple[int, int] | None:
    """(number, status) when it is the guest's answer to a request of this kind for one of those that wait.

    By ACPI slot: what was there at the machine's start has no id, and what is gone has none any more.
    """
    if event[0] != "ACPI_DEVICE_OST":
        return None
    info = get_object(event[1], "info")
    number = get_str(info, "slot")
    if get_str(info, "slot-type") != "CPU" or get_int(info, "source") != source or not number.isdecimal():
        return None
    return (int(number), get_int(info, "status")) if int(number) in waiting else None


async def _plugged(instance: Instance) -> set[int]:
    return {place.number for place in await places(instance) if place.path}


@dataclass(frozen=True, slots=True)
class GuestCPU:
    """A CPU as the guest counts them."""

    number: int
    online: bool
    can_offline: bool


async def seen(instance: Instance) -> tuple[GuestCPU, ...] | None:
    """The guest's CPUs by its agent, in its order; None where it cannot be asked."""
    if not instance.agent.connected:
        return None
    try:
        reply = await instance.agent.command("guest-get-vcpus")
    except GuestError:
        return None
    found = [entry for entry in reply if isinstance(entry, dict)] if isinstance(reply, list) else []
    return tuple(
        sorted(
            (
                GuestCPU(get_int(one, "logical-id"), one.get("online") is True, one.get("can-offline") is True)
                for one in found
            ),
            key=lambda one: one.number,
        )
    )


async def set_online(instance: Instance, numbers: Iterable[int], *, online: bool) -> str:
    """Takes CPUs of the guest on or off line, one after the other. Returns what it said where it refused, else ""."""
    for number in numbers:
        vcpus: JsonObject = {"vcpus": [{"logical-id": number, "online": online}]}
        try:
            await instance.agent.command("guest-set-vcpus", vcpus, timeout=ONLINE_TIMEOUT)
        except GuestError as error:
            return printable(error.message)
    return ""
