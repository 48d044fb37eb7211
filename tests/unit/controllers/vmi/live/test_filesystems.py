from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from solovirt.api import registry
from solovirt.api.core.configmap import ConfigMap
from solovirt.api.kubevirt.spec.devices import Filesystem, VirtioFS
from solovirt.api.kubevirt.spec.sources import ClaimSource, ConfigMapSource, Volume
from solovirt.api.meta import ObjectMeta
from solovirt.controllers.vmi.live import filesystems
from solovirt.controllers.vmi.live.concern import Report
from solovirt.controllers.vmi.live.outcome import Outcome
from solovirt.hypervisor import plugging
from solovirt.hypervisor.model import Helper
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit.errors import GuestError, HostError
from tests.unit.controllers.lab import Lab

from .qemu import Bench, bench


class Beside:
    """The helpers of one machine, in name only."""

    def __init__(self) -> None:
        self.running: dict[str, Helper] = {}
        self.shown: set[str] = set()
        self.refuse: HostError | None = None
        self.last_words: HostError | None = None

    def names(self) -> set[str]:
        return set(self.running)

    def add(self, helper: Helper, run_as: tuple[int, int] | None) -> None:
        if self.refuse is not None:
            raise self.refuse
        assert helper.name not in self.running
        self.running[helper.name] = helper
        self.shown.add(helper.socket)

    async def remove(self, name: str) -> None:
        self.running.pop(name, None)

    async def failure(self) -> HostError | None:
        return self.last_words

    def hide(self) -> None:
        self.shown.clear()


class Host:
    def __init__(self) -> None:
        self.helpers = Beside()

    def beside(self, uid: str) -> Beside:
        return self.helpers


class Sharing(Bench):
    @property
    def beside(self) -> Beside:
        return cast(Host, self.site.hypervisor).helpers

    def directory(self, name: str) -> Path:
        return self.lab.paths.instance(self.vmi.metadata.uid) / "shared" / name


@pytest.fixture
async def machine(lab: Lab) -> Sharing:
    """A machine without filesystems (whose memory is shared, of which nothing is asked here)."""
    await lab.objects.create(
        registry.CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name="words", namespace="default"), data={"a": "1"})
    )
    found = Sharing(lab, (await bench(lab)).vmi)
    facts = replace(found.site, hypervisor=cast(Hypervisor, Host())).facts
    found.site = replace(found.site, hypervisor=cast(Hypervisor, Host()), facts=facts)
    return found


async def apply(found: Sharing, *names: str, config: str = "words") -> Report:
    found.vmi.spec.domain.devices.filesystems = [Filesystem(name=name, virtiofs=VirtioFS()) for name in names]
    found.vmi.spec.volumes = [Volume(name=name, config_map=ConfigMapSource(name=config)) for name in names]
    outcome = Outcome(found.update, "DevicesChange")
    await filesystems.apply(found.update, outcome)
    return outcome.report()


async def test_a_directory_comes_and_goes(machine: Sharing) -> None:
    assert (await apply(machine, "one")).conditions == ()
    made = machine.qemu.devices["fs-one"]
    assert (made["driver"], made["tag"], made["chardev"]) == ("vhost-user-fs-pci", "one", "chr-vu-fs-one")
    assert made["bus"] == machine.update.record.pins.pci["fs-one"]
    assert machine.qemu.commands("chardev-add", "device_add") == ["chardev-add", "device_add"]
    assert set(machine.beside.running) == {"virtiofsd-one"}
    assert machine.beside.shown == set(), "nobody else is to connect"
    assert (machine.directory("one") / "a").read_text() == "1"

    (machine.directory("one") / "seen").touch()
    assert (await apply(machine, "one", "two")).conditions == ()
    assert (machine.directory("one") / "seen").exists(), "files that a guest has are not written anew"
    assert set(machine.qemu.devices) == {"fs-one", "fs-two"}

    assert (await apply(machine, "two")).conditions == ()
    assert (set(machine.qemu.devices), machine.qemu.chardevs) == ({"fs-two"}, {"chr-vu-fs-two"})
    assert set(machine.beside.running) == {"virtiofsd-two"}
    assert not machine.directory("one").exists()
    assert "fs-one" not in machine.update.record.pins.pci
    assert (await machine.reasons())[-3:] == ["FilesystemPlugged", "FilesystemPlugged", "FilesystemUnplugged"]


async def test_a_guest_that_keeps_it_keeps_its_files(machine: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
    await apply(machine, "one")
    monkeypatch.setattr(plugging.unplug, "__kwdefaults__", {"timeout": 0.01})
    machine.qemu.obedient = False
    [told] = (await apply(machine)).conditions
    assert (told.status, told.reason) == ("False", "UnplugTimeout")
    assert set(machine.beside.running) == {"virtiofsd-one"}
    assert (machine.directory("one") / "a").exists()
    machine.qemu.let_go("fs-one")
    assert (await apply(machine)).conditions == ()
    assert (machine.beside.running, machine.qemu.chardevs) == ({}, set())
    assert not machine.directory("one").exists()


@pytest.mark.parametrize("step", ["chardev-add chr-vu-fs-one", "device_add fs-one"])
async def test_qemu_refuses_and_the_helpers_word_counts(machine: Sharing, step: str) -> None:
    machine.qemu.refuse = {step: GuestError("connection reset", reason="GenericError")}
    machine.beside.last_words = HostError("virtiofsd-one exited with 1: no namespaces", reason="LaunchFailed")
    [told] = (await apply(machine, "one")).conditions
    assert told.reason == "LaunchFailed"
    assert "no namespaces" in told.message
    assert (machine.qemu.devices, machine.qemu.chardevs, machine.beside.running) == ({}, set(), {})
    assert "fs-one" not in machine.update.record.pins.pci


async def test_a_helper_that_cannot_start(machine: Sharing) -> None:
    machine.beside.refuse = HostError("cannot execute", reason="LaunchFailed")
    [told] = (await apply(machine, "one")).conditions
    assert told.reason == "LaunchFailed"
    assert machine.qemu.sent == []


async def test_memory_that_nobody_else_can_map(machine: Sharing) -> None:
    machine.qemu.shares = False
    report = await apply(machine, "one")
    assert (report.conditions[0].reason, report.again) == ("RestartRequired", None)
    assert (machine.qemu.sent, machine.beside.running) == ([], {})


async def test_what_is_not_there_yet_is_waited_for(machine: Sharing) -> None:
    report = await apply(machine, "one", config="missing")
    [told] = report.conditions
    assert 'configmap "missing" not found' in told.message
    assert report.again
    assert machine.beside.running == {}
    machine.vmi.spec.volumes = [Volume(name="one", persistent_volume_claim=ClaimSource(claim_name="none"))]
    outcome = Outcome(machine.update, "DevicesChange")
    await filesystems.apply(machine.update, outcome)
    assert "FailedPvcNotFound" in outcome.reasons
    assert not (machine.lab.paths.volumes / "default" / "none").exists()


async def test_what_a_dead_daemon_left(machine: Sharing) -> None:
    """A helper and a chardev without their device, one of them wanted."""
    machine.qemu.chardevs = {"chr-vu-fs-one", "chr-vu-fs-gone", "charmonitor"}
    for name in ("one", "gone"):
        machine.beside.running[f"virtiofsd-{name}"] = Helper(f"virtiofsd-{name}", (), "")
    machine.beside.running["swtpm"] = Helper("swtpm", (), "")
    assert (await apply(machine, "one")).conditions == ()
    assert machine.qemu.chardevs == {"chr-vu-fs-one", "charmonitor"}
    assert set(machine.beside.running) == {"virtiofsd-one", "swtpm"}
    assert machine.beside.running["virtiofsd-one"].argv, "started anew"
