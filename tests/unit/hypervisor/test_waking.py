from __future__ import annotations

import re

import pytest

from solovirt.hypervisor.waking import finish, wake
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject, get_str

BASE, CONTROL = 0x8000F840, 0x8000F844


class Ports:
    """A suspended machine with the PCI configuration of one bridge behind ports 0xcf8 and 0xcfc."""

    def __init__(self, bridge: int = 0x29188086, base: int = 1) -> None:
        self.state = "suspended"
        self.address = 0x80000004
        self.registers = {0x8000F800: bridge, BASE: base, CONTROL: 0}
        self.commands: list[str] = []
        self.garbage = False

    async def qmp(self, command: str, arguments: JsonObject | None = None, *, timeout: float = 30.0) -> Json:
        if command == "human-monitor-command":
            assert self.state == "paused", "nobody else uses the ports"
            return self._monitor(get_str(arguments or {}, "command-line"))
        self.commands.append(command)
        if command == "system_wakeup" and self.state != "suspended":
            raise GuestError("Unable to wake up: guest is not in suspended state")
        self.state = {"system_wakeup": "running", "stop": "paused", "cont": "running"}[command]
        return {}

    def _monitor(self, line: str) -> str:
        found = re.fullmatch(r"([io]) /([bw]) (0xcf[8c])(?: (0x[0-9a-f]+))?", line)
        assert found is not None, line
        what, size, port, value = found.groups()
        if self.garbage:
            return "what?"
        if what == "i":
            assert size == "w"
            return f"portl[{port}] = {self.address if port == '0xcf8' else self.registers[self.address]:#010x}\r\n"
        if port == "0xcf8":
            self.address = int(value, 16)
        else:
            self.registers[self.address] = int(value, 16)
        return ""


async def test_registers_that_firmware_forgets() -> None:
    machine = Ports()
    await wake(machine)
    assert machine.commands == ["system_wakeup", "stop", "cont"] and machine.state == "running"
    assert (machine.registers[BASE], machine.registers[CONTROL]) == (0x601, 0x80)
    assert machine.address == 0x80000004, "what its firmware was about to read"


@pytest.mark.parametrize(("bridge", "base"), [(0x29188086, 0x0601), (0x70008086, 1), (0xFFFFFFFF, 0xFFFFFFFF)])
async def test_others_are_left_alone(bridge: int, base: int) -> None:
    machine = Ports(bridge, base)
    await wake(machine)
    assert machine.registers == {0x8000F800: bridge, BASE: base, CONTROL: 0}
    assert (machine.state, machine.address) == ("running", 0x80000004)


async def test_one_that_does_not_sleep_runs_on() -> None:
    machine = Ports()
    machine.state = "running"
    with pytest.raises(GuestError, match="not in suspended state"):
        await wake(machine)
    assert machine.state == "running"


async def test_it_runs_whatever_goes_wrong() -> None:
    machine = Ports()
    machine.garbage = True
    with pytest.raises(GuestError, match="did not say"):
        await wake(machine)
    assert machine.state == "running"


@pytest.mark.parametrize("state", ["paused", "running"])
async def test_the_rest_of_one_that_was_cut_short(state: str) -> None:
    machine = Ports()
    machine.state = state
    await finish(machine)
    assert machine.commands == ["stop", "cont"] and machine.state == "running"
    assert (machine.registers[BASE], machine.registers[CONTROL]) == (0x601, 0x80)


async def test_the_rest_goes_wrong() -> None:
    machine = Ports()
    machine.garbage = True
    with pytest.raises(GuestError, match="what a port holds"):
        await finish(machine)
    assert machine.state == "running", "it does not stay stopped"
