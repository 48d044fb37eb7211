"""A random valid manifest out of the whole spec compiles, for both recorded QEMUs, and to the same bytes again."""

from __future__ import annotations

import copy
import dataclasses

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from solovirt.compile.render import argv
from solovirt.kit.jsontypes import JsonObject
from tests.golden import cases
from tests.support.anyvm import host, machine


@pytest.mark.parametrize("accel", ["tcg", "kvm"])
@pytest.mark.parametrize("known", [cases.USUAL, cases.NEWER])
@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(machine.valid())
def test_what_is_valid_compiles_and_stays(known: str, accel: str, manifest: JsonObject) -> None:
    facts = cases.host_facts(cases.Host(facts=known, accel=accel))
    case = host.case(manifest, facts)
    again = host.case(copy.deepcopy(manifest), facts)
    first = case.machine()
    assert argv(again.machine()) == argv(first)
    pinned = msgspec.structs.replace(case.bindings, pins=first.pins)
    assert argv(dataclasses.replace(case, bindings=pinned).machine()) == argv(first)
