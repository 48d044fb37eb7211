from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import cast

import pytest

from solovirt.hypervisor import dump, resets
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState
from solovirt.kit.errors import BadRequest, Conflict, GuestError, Unavailable
from solovirt.kit.json import Json, JsonObject, get_str
from tests.support.fakeqemu import FakeQemu


@pytest.fixture
def qemu(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeQemu]:
    monkeypatch.setattr(dump, "LOOK", 0.01)
    made = FakeQemu()
    made.replies["query-dump-guest-memory-capability"] = {"formats": ["elf", "kdump-zlib", "win-dmp", 7]}
    made.replies["query-dump"] = {"status": "none", "completed": 0, "total": 0}
    yield made
    made.close()


@pytest.fixture
def instance(qemu: FakeQemu) -> Instance:
    return cast(Instance, qemu)


@pytest.fixture
def descriptor() -> Iterator[int]:
    made = os.memfd_create("dump")
    yield made
    os.close(made)


async def test_formats(instance: Instance, qemu: FakeQemu) -> None:
    assert await dump.formats(instance) == ("elf", "kdump-zlib")
    qemu.replies["query-dump-guest-memory-capability"] = "nonsense"
    assert await dump.formats(instance) == ()


async def test_beginning(instance: Instance, qemu: FakeQemu, descriptor: int) -> None:
    await dump.begin(instance, descriptor, "kdump-zlib")
    arguments = {"paging": False, "protocol": f"fd:solovirt-dump-{descriptor}", "detach": True, "format": "kdump-zlib"}
    assert qemu.calls[-1] == ("dump-guest-memory", arguments)
    assert qemu.expected == [RunState.SAVE_VM]
    qemu.write(f"solovirt-dump-{descriptor}", b"core")
    assert os.pread(descriptor, 10, 0) == b"core"


async def test_refusals(instance: Instance, qemu: FakeQemu, descriptor: int) -> None:
    with pytest.raises(BadRequest, match="no dumps in the format 'kdump-lzo': elf, kdump-zlib"):
        await dump.begin(instance, descriptor, "kdump-lzo")
    qemu.replies["query-dump"] = {"status": "active", "completed": 1, "total": 2}
    with pytest.raises(Conflict, match="under way"):
        await dump.begin(instance, descriptor)
    assert not qemu.handed


async def test_a_reset_is_waited_for(
    instance: Instance, qemu: FakeQemu, descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the machine does not run: no firmware resets it then."""
    monkeypatch.setattr(resets, "ECHO", 60.0)
    monkeypatch.setattr(resets, "PATIENCE", 0.0)
    qemu.resets.seen()
    with pytest.raises(Conflict, match="again and again"):
        await dump.begin(instance, descriptor)
    assert "dump-guest-memory" not in qemu.commands and not qemu.handed and qemu.expected == []
    qemu.run_state = RunState.PAUSED
    await dump.begin(instance, descriptor)
    assert qemu.commands[-1] == "dump-guest-memory"


async def test_two_at_once(instance: Instance, qemu: FakeQemu, descriptor: int) -> None:
    """QEMU refuses the second; the first goes into its own file."""
    begun: list[str] = []

    def dump_memory(arguments: JsonObject) -> Json:
        if begun:
            raise GuestError("There is a dump in process, please wait.", reason="GenericError")
        begun.append(get_str(arguments, "protocol").removeprefix("fd:"))
        return {}

    qemu.replies["dump-guest-memory"] = dump_memory
    other = os.memfd_create("other")
    try:
        both = (dump.begin(instance, descriptor), dump.begin(instance, other))
        first, second = await asyncio.gather(*both, return_exceptions=True)
        assert first is None and isinstance(second, GuestError)
        qemu.write(begun[0], b"core")
        assert os.pread(descriptor, 10, 0) == b"core" and os.pread(other, 10, 0) == b""
    finally:
        os.close(other)


async def test_qemu_refuses(instance: Instance, qemu: FakeQemu, descriptor: int) -> None:
    qemu.replies["dump-guest-memory"] = GuestError("no way", reason="GenericError")
    with pytest.raises(GuestError, match="no way"):
        await dump.begin(instance, descriptor)
    assert qemu.calls[-1] == ("closefd", {"fdname": f"solovirt-dump-{descriptor}"})
    assert qemu.expected == [RunState.SAVE_VM, None]


async def test_to_the_end(instance: Instance, qemu: FakeQemu) -> None:
    with qemu.happenings.listen() as listener:
        qemu.replies["query-dump"] = {"status": "active", "completed": 1, "total": 2}
        assert await dump.step(instance, listener) == dump.Progress("active", 1, 2)
        assert qemu.expected == []
        qemu.replies["query-dump"] = {"status": "completed", "completed": 2, "total": 2}
        qemu.happenings.tell("STOP", {})
        qemu.happenings.tell("DUMP_COMPLETED", {"result": {}})
        assert (await dump.step(instance, listener)).status == "completed"
        assert qemu.expected == [None]


async def test_failing(instance: Instance, qemu: FakeQemu) -> None:
    with qemu.happenings.listen() as listener:
        qemu.replies["query-dump"] = {"status": "failed", "completed": 0, "total": 2}
        qemu.happenings.tell("DUMP_COMPLETED", {"error": "dump: No space left\x1b[5m on device"})
        with pytest.raises(GuestError, match=r"failed: dump: No space left.*on device") as caught:
            await dump.step(instance, listener)
        assert "\x1b" not in caught.value.message
        with pytest.raises(GuestError, match="does not say why"):
            await dump.step(instance, listener)
        qemu.happenings.lost()
        with pytest.raises(Unavailable):
            await dump.step(instance, listener)
