"""Random valid manifests out of the whole spec, given to the real QEMU. Their seed is printed when one is refused."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings

from solovirt.host import qemu_probe
from solovirt.host.facts import find_qemu
from solovirt.host.model.facts import HostFacts
from solovirt.kit.jsontypes import JsonObject
from tests.golden import cases
from tests.real.compile import machines
from tests.support.anyvm import host, machine

pytestmark = pytest.mark.real
EXAMPLES = 30
SEED = random.SystemRandom().randrange(2**32)


@pytest.fixture(scope="module")
def facts() -> HostFacts:
    """The QEMU that is installed, with the firmware and the helpers of a usual host."""
    installed = asyncio.run(qemu_probe.ask(find_qemu(), "tcg"))
    return msgspec.structs.replace(cases.host_facts(), qemu=installed)


@seed(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(machine.valid())
def test_qemu_takes_what_is_valid(facts: HostFacts, manifest: JsonObject) -> None:
    """Not shrunk: each try is a QEMU, and the manifest is whole in the message."""
    note(f"seed {SEED}")
    case = host.case(manifest, facts)
    with machines.on_disk(case) as bindings:
        words, pins = machines.compiled(case, facts, bindings)
        again, _ = machines.compiled(case, facts, bindings, pins)
        assert again == words
        status, _ = machines.start(words, bindings.sockets.qmp)
    assert isinstance(status, dict) and status["status"] == "prelaunch"
