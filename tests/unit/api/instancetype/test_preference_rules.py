"""Rules for preferences."""

from __future__ import annotations

import pytest

from solovirt.api.instancetype.kinds import PREFERENCES
from solovirt.api.instancetype.preference_rules import validate
from solovirt.kit.json import JsonObject
from tests.unit.api.instancetype.samples import make


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (
            {"cpu": {"preferredCPUTopology": "round"}},
            "spec.cpu.preferredCPUTopology",
            "unknown preferredCPUTopology round",
        ),
        (
            {"cpu": {"preferredCPUTopology": "spread", "spreadOptions": {"across": "Rooms"}}},
            "spec.cpu.spreadOptions.across",
            "across Rooms is not supported",
        ),
        (
            {"cpu": {"preferredCPUTopology": "spread", "spreadOptions": {"across": "CoresThreads", "ratio": 3}}},
            "spec.cpu.spreadOptions.ratio",
            "only a ratio of 2 (1 core 2 threads) is allowed when spreading vCPUs over cores and threads",
        ),
        (
            {"cpu": {"preferredCPUTopology": "preferSpread", "spreadOptions": {"ratio": 0}}},
            "spec.cpu.spreadOptions.ratio",
            "must be greater than or equal to 1",
        ),
        ({"requirements": {"memory": {"guest": "much"}}}, "spec.requirements.memory.guest", "quantities must match"),
        ({"requirements": {"cpu": {"guest": -1}}}, "spec.requirements.cpu.guest", "must be greater than or equal to 0"),
    ],
)
def test_each_problem(spec: JsonObject, field: str, message: str) -> None:
    (cause,) = validate(make(PREFERENCES, "a", spec), None)
    assert cause.field == field
    assert message in cause.message


def test_spread_options_count_only_where_vcpus_are_spread() -> None:
    spec: JsonObject = {"cpu": {"preferredCPUTopology": "cores", "spreadOptions": {"across": "Rooms"}}}
    assert validate(make(PREFERENCES, "a", spec), None) == []
    assert validate(make(PREFERENCES, "a", {}), None) == []
