from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.api.core.persistentvolumeclaim import (
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    VolumeResources,
)
from solovirt.api.kubevirt.virtualmachine import MemoryDumpRequest
from solovirt.api.meta import ObjectMeta
from solovirt.controllers import memory_dump
from solovirt.controllers.memory_dump import ANNOTATION, MemoryDumps, needed_size
from solovirt.hypervisor import dump
from solovirt.kit.errors import BadRequest, Conflict, HostError, NotFound, SolovirtError
from solovirt.kit.json import Json, JsonObject
from tests.support.fakeqemu import SCHEMA
from tests.unit.controllers.lab import FakeClaims, FakeInstance, Lab

HERE = ("default", "vm")
CLAIM = "persistentvolumeclaim.kubevirt.io"
MIB = 1 << 20


@pytest.fixture
async def machine(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeInstance]:
    monkeypatch.setattr(dump, "LOOK", 0.005)
    monkeypatch.setattr(FakeClaims, "disk", lambda self, namespace, name: tmp_path / "claims" / name / "disk.qcow2")
    await lab.create("Always")
    await add_claim(lab, "dumps", "200Mi")
    made = lab.host.machine
    made.replies["query-qmp-schema"] = list(SCHEMA)
    made.replies["query-dump-guest-memory-capability"] = {"formats": ["elf"]}
    state(made, "none")
    asked = made.qmp

    async def qmp(command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        if command == "dump-guest-memory":
            state(made, "active")
        return await asked(command, arguments, timeout=timeout)

    monkeypatch.setattr(made, "qmp", qmp)
    yield made
    for descriptor in made.handed:
        os.close(descriptor)


async def add_claim(lab: Lab, name: str, size: str, mode: str = "", *access: str) -> None:
    spec = PersistentVolumeClaimSpec(
        access_modes=list(access) or ["ReadWriteOnce"],
        resources=VolumeResources(requests={"storage": size}),
        volume_mode=mode,
    )
    claim = PersistentVolumeClaim(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)
    await lab.objects.create(registry.PERSISTENT_VOLUME_CLAIMS, claim)
    await lab.settle()


def state(machine: FakeInstance, status: str) -> None:
    machine.replies["query-dump"] = {"status": status, "completed": 1, "total": 2}


def dumps(lab: Lab) -> MemoryDumps:
    return lab.manager.operations.dumps


def files(lab: Lab) -> list[str]:
    folder = lab.manager._site.claims.disk("default", "dumps").parent
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def request(lab: Lab) -> MemoryDumpRequest:
    found = lab.vm().status.memory_dump_request
    assert found is not None
    return found


async def begin(lab: Lab, machine: FakeInstance) -> int:
    """A dump that QEMU has begun; its descriptor."""
    await dumps(lab).request(*HERE, "dumps")
    return await handed(machine, 1)


async def handed(machine: FakeInstance, count: int) -> int:
    async with asyncio.timeout(60):
        while len(machine.handed) < count or machine.calls.count("dump-guest-memory") < count:
            await asyncio.sleep(0.002)
    return machine.handed[-1]


async def test_a_dump(lab: Lab, machine: FakeInstance) -> None:
    before = files(lab)
    descriptor = await begin(lab, machine)
    await lab.settle()
    found = request(lab)
    assert (found.claim_name, found.phase, found.start_timestamp) == ("dumps", "InProgress", lab.clock.text())
    os.write(descriptor, b"core")
    state(machine, "completed")
    await dumps(lab).wait()
    await lab.settle()
    found = request(lab)
    name = "vm-dumps-20260102-030405.memory.dump"
    assert (found.phase, found.file_name, found.end_timestamp) == ("Completed", name, lab.clock.text())
    assert files(lab) == sorted([*before, name])
    assert (lab.manager._site.claims.disk("default", "dumps").parent / name).read_bytes() == b"core"
    assert lab.claim("dumps").metadata.annotations[ANNOTATION] == name
    assert {"MemoryDump", "MemoryDumped"} <= set(lab.reasons())
    assert lab.objects.records.list("dumps") == {}


async def test_again_and_into_another(lab: Lab, machine: FakeInstance) -> None:
    with pytest.raises(BadRequest, match="Memory dump requires claim name to be set"):
        await dumps(lab).request(*HERE, "")
    os.write(await begin(lab, machine), b"first")
    with pytest.raises(Conflict, match=r"memory dump request for pvc \[dumps\] already in progress"):
        await dumps(lab).request(*HERE, "")
    state(machine, "completed")
    await dumps(lab).wait()
    text = r"can't request memory dump for pvc \[other\] while pvc \[dumps\] is still associated"
    with pytest.raises(Conflict, match=text):
        await dumps(lab).request(*HERE, "other")
    lab.clock.pass_(60)
    state(machine, "none")
    await dumps(lab).request(*HERE, "")
    os.write(await handed(machine, 2), b"second")
    state(machine, "completed")
    await dumps(lab).wait()
    assert [name for name in files(lab) if name.endswith(".dump")] == ["vm-dumps-20260102-030505.memory.dump"]


async def test_removing(lab: Lab, machine: FakeInstance) -> None:
    with pytest.raises(Conflict, match="can't remove memory dump association for vm vm, no association found"):
        await dumps(lab).remove(*HERE)
    os.write(await begin(lab, machine), b"core")
    await dumps(lab).remove(*HERE)
    assert (request(lab).phase, request(lab).remove) == ("Dissociating", True)
    with pytest.raises(Conflict, match="already exists"):
        await dumps(lab).remove(*HERE)
    with pytest.raises(Conflict, match="a remove memory dump request is in progress"):
        await dumps(lab).request(*HERE, "dumps")
    state(machine, "completed")
    await dumps(lab).wait()
    assert lab.vm().status.memory_dump_request is None
    assert any(name.endswith(".memory.dump") for name in files(lab)), "what is in the claim stays"
    await lab.settle()
    state(machine, "none")
    await dumps(lab).request(*HERE, "dumps")
    await handed(machine, 2)
    state(machine, "completed")
    await dumps(lab).wait()
    await dumps(lab).remove(*HERE)
    assert lab.vm().status.memory_dump_request is None


async def test_unfit_claims(lab: Lab, machine: FakeInstance) -> None:
    await add_claim(lab, "small", "100Mi")
    await add_claim(lab, "readonly", "1Gi", "", "ReadOnlyMany")
    rows = [
        ("nowhere", NotFound, f'{CLAIM} "nowhere" not found'),
        ("small", Conflict, "pvc size [100Mi] should be bigger then [174Mi]"),
        ("readonly", Conflict, "pvc access mode can't be read only"),
    ]
    for name, kind, text in rows:
        with pytest.raises(SolovirtError) as caught:
            await dumps(lab).request(*HERE, name)
        assert isinstance(caught.value, kind) and text in caught.value.message
    assert lab.vm().status.memory_dump_request is None and not machine.handed


def test_the_size_that_a_claim_must_have() -> None:
    assert needed_size(64 * MIB) == 174 * MIB
    assert needed_size(1024 * MIB) == 1186 * MIB


async def failed(lab: Lab, text: str) -> None:
    await dumps(lab).wait()
    await lab.settle()
    assert (request(lab).phase, text in request(lab).message) == ("Failed", True), request(lab)
    assert not [name for name in files(lab) if "dump" in name]
    assert lab.claim("dumps").metadata.annotations[ANNOTATION] == "Memory dump failed"
    assert "MemoryDumpFailed" in lab.reasons() and lab.objects.records.list("dumps") == {}


async def test_a_dump_that_fails_leaves_nothing(lab: Lab, machine: FakeInstance) -> None:
    os.write(await begin(lab, machine), b"half")
    state(machine, "failed")
    await failed(lab, "the memory dump failed")


async def test_qemu_dies(lab: Lab, machine: FakeInstance) -> None:
    os.write(await begin(lab, machine), b"half")
    machine.has_exited = True
    machine.happenings.lost()
    await failed(lab, "QEMU ended during the memory dump")


async def test_no_room(lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_dump.files, "free_space", lambda directory: 5)
    await dumps(lab).request(*HERE, "dumps")
    await failed(lab, "no space left")
    assert not machine.handed


async def restart(lab: Lab) -> None:
    """The daemon dies; QEMU and its descriptor do not."""
    await lab.manager.stop()
    lab.manager = lab._manager()


async def test_the_next_daemon_sees_it_through(lab: Lab, machine: FakeInstance) -> None:
    os.write(await begin(lab, machine), b"core")
    await restart(lab)
    await lab.start()
    assert request(lab).phase == "InProgress"
    state(machine, "completed")
    await dumps(lab).wait()
    assert (request(lab).phase, len(machine.handed)) == ("Completed", 1)


async def test_the_daemon_died_before_qemu_had_begun(lab: Lab, machine: FakeInstance) -> None:
    await begin(lab, machine)
    state(machine, "completed")  # an older one's
    await lab.manager.stop()
    lab.manager = lab._manager()
    await lab.start()
    await handed(machine, 2)
    state(machine, "completed")
    await dumps(lab).wait()
    assert (request(lab).phase, len(machine.handed)) == ("Completed", 2)


async def test_the_daemon_died_before_it_wrote_anything_down(lab: Lab, machine: FakeInstance) -> None:
    def asked(vm: object) -> bool:
        vm.status.memory_dump_request = MemoryDumpRequest(claim_name="dumps", phase="Associating")  # type: ignore[attr-defined]
        return True

    await lab.manager.stop()
    await lab.objects.modify(registry.VIRTUAL_MACHINES, *HERE, asked, status=True)
    lab.manager = lab._manager()
    await lab.start()
    await handed(machine, 1)
    state(machine, "completed")
    await dumps(lab).wait()
    assert request(lab).phase == "Completed"


async def test_the_machine_is_gone_when_the_next_daemon_comes(lab: Lab, machine: FakeInstance) -> None:
    os.write(await begin(lab, machine), b"half")
    await restart(lab)
    machine.exit(-9)
    await lab.start()
    await failed(lab, "the machine ended")


async def test_a_claim_stays_while_it_is_written_to(lab: Lab, machine: FakeInstance) -> None:
    await begin(lab, machine)
    await lab.objects.delete(registry.PERSISTENT_VOLUME_CLAIMS, "default", "dumps")
    await lab.settle()
    assert lab.claim("dumps").metadata.deletion_timestamp is not None
    state(machine, "completed")
    await dumps(lab).wait()
    lab.manager._claims.queue.add(("default", "dumps"))
    await lab.settle()
    with pytest.raises(NotFound):
        lab.claim("dumps")


async def test_streams(lab: Lab, machine: FakeInstance) -> None:
    with pytest.raises(BadRequest, match="unknown 'zip': one of elf, kdump-zlib"):
        async with dumps(lab).stream(*HERE, "zip"):
            raise AssertionError("it is not open")
    with pytest.raises(SolovirtError, match="broken"):
        async with dumps(lab).stream(*HERE, "elf") as stream:
            assert stream.memory == 2
            raise SolovirtError("broken")
    await lab.settle()
    assert {"MemoryDump", "MemoryDumpFailed"} <= set(lab.reasons())


async def test_names_that_are_too_long_for_a_file(lab: Lab, machine: FakeInstance) -> None:
    claim = ".".join(["c" * 62] * 4)
    await add_claim(lab, claim, "200Mi")
    await dumps(lab).request(*HERE, claim)
    await handed(machine, 1)
    state(machine, "completed")
    await dumps(lab).wait()
    assert request(lab).phase == "Completed"
    assert request(lab).file_name.startswith("vm-ccc") and len(request(lab).file_name) < 240
    assert lab.objects.records.list("dumps") == {}


async def test_a_half_dump_that_cannot_be_removed_is_not_begun_again_for_ever(
    lab: Lab, machine: FakeInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(partial: Path) -> None:
        raise HostError("Input/output error")

    monkeypatch.setattr(memory_dump, "_discard", broken)
    await begin(lab, machine)
    state(machine, "failed")
    async with asyncio.timeout(60):
        await dumps(lab).wait()
    assert (request(lab).phase, lab.objects.records.list("dumps")) == ("Failed", {})


async def test_a_link_in_the_place_of_a_dump_is_not_followed(lab: Lab, machine: FakeInstance, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    folder = lab.manager._site.claims.disk("default", "dumps").parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".vm-dumps-20260102-030405.memory.dump.part").symlink_to(victim)
    (folder / "vm-dumps-20260102-030405.memory.dump").symlink_to(victim)
    os.write(await begin(lab, machine), b"core")
    state(machine, "completed")
    await dumps(lab).wait()
    target = folder / "vm-dumps-20260102-030405.memory.dump"
    assert (victim.read_bytes(), target.is_symlink(), target.read_bytes()) == (b"precious", False, b"core")
