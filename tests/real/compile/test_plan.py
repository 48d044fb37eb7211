"""Every golden command line, and random ones, given to the real QEMU."""

from __future__ import annotations

import asyncio
import copy

import msgspec
import pytest
from hypothesis import given, settings

from solovirt.compile import drives, iothreads, render
from solovirt.compile.configurators import disks, nics
from solovirt.compile.plan import compile_machine
from solovirt.host import qemu_probe
from solovirt.host.facts import find_qemu
from solovirt.host.model.facts import HostFacts
from solovirt.kit.errors import HostError
from solovirt.kit.json import JsonObject
from tests.golden import cases
from tests.real.compile import machines, standins
from tests.support import specs

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def facts() -> HostFacts:
    return HostFacts(qemu=asyncio.run(qemu_probe.ask(find_qemu(), "tcg")), accel="tcg")


@pytest.mark.parametrize("name", cases.names())
def test_qemu_takes_the_golden_command_line(name: str, facts: HostFacts) -> None:
    case = cases.load(name)
    _only_known_features(case, facts)
    facts = msgspec.structs.replace(facts, helpers=case.facts.helpers)
    with machines.on_disk(case) as bindings:
        if case.spec.domain.io_threads_policy == "supplementalPool" and iothreads.MAPPING not in facts.qemu.properties:
            with pytest.raises(HostError, match="several I/O threads"):
                machines.compiled(case, facts, bindings)
            return
        if case.spec.domain.launch_security is not None:
            with pytest.raises(HostError, match="needs KVM"):
                machines.compiled(case, facts, bindings)
            return
        words, _ = machines.compiled(case, facts, bindings)
        status, _ = machines.start(words, bindings.sockets.qmp)
    assert isinstance(status, dict) and status["status"] == "prelaunch"


def _only_known_features(case: cases.Case, facts: HostFacts) -> None:
    """A golden of another host's QEMU may name CPU features that this one has not heard of."""
    cpu = case.spec.domain.cpu
    if cpu is not None and cases.facts_of(case.name)[0] != cases.USUAL:
        cpu.features = [feature for feature in cpu.features if feature.name in facts.qemu.cpu_features]


@pytest.mark.parametrize("driver", standins.ABSENT_DEVICES)
def test_qemu_knows_every_key_of_devices_that_only_other_hosts_have(driver: str, facts: HostFacts) -> None:
    used: set[str] = set()
    for case in filter(standins.concerned, map(cases.load, cases.names())):
        words, _ = machines.compiled(case, facts, case.bindings)
        used |= {key for device in standins.absent(words) if device["driver"] == driver for key in device}
    assert used
    case = cases.load("minimal")
    with machines.on_disk(case) as bindings:
        words, _ = machines.compiled(case, facts, bindings)
        answer = machines.ask(words, bindings.sockets.qmp, ("device-list-properties", {"typename": driver}))
    assert used <= standins.keys(answer)


@settings(max_examples=10, deadline=None)
@given(specs.defaulted())
def test_qemu_takes_random_machines_and_shows_the_same_addresses_again(facts: HostFacts, spec: specs.Spec) -> None:
    case = cases.Case("random", spec, facts, cases.default_bindings("random", spec), "spec", None)
    with machines.on_disk(case) as bindings:
        words, pins = machines.compiled(case, facts, bindings)
        _, first = machines.start(words, bindings.sockets.qmp)
        again, _ = machines.compiled(case, facts, bindings, pins)
        assert again == words
        _, second = machines.start(again, bindings.sockets.qmp)
    assert first == second


def test_a_disk_and_a_nic_can_be_added_with_the_same_descriptions(facts: HostFacts) -> None:
    """What ``disks`` and ``nics`` describe is what ``blockdev-add``, ``netdev_add`` and ``device_add`` take."""
    case = cases.load("hello")
    with machines.on_disk(case) as bindings:
        whole = machines.context(case, facts, bindings)
        drive = drives.resolve(whole, 0)
        added: list[tuple[str, JsonObject]] = [
            *(("blockdev-add", render.arguments(node)) for node in disks.nodes(drive)),
            ("device_add", render.arguments(disks.device(whole, drive, whole.layout.place(drive.device)))),
            ("netdev_add", render.arguments(nics.backend(whole, 0))),
            ("device_add", render.arguments(nics.device(whole, 0, whole.layout.place("ua-default")))),
        ]
        spec = copy.deepcopy(case.spec)
        spec.volumes, spec.networks, spec.domain.devices.disks, spec.domain.devices.interfaces = [], [], [], []
        _, pins = machines.compiled(case, facts, bindings)
        machine = compile_machine(spec, facts, msgspec.structs.replace(bindings, pins=pins))
        machines.start(render.argv(machine), bindings.sockets.qmp, added)
