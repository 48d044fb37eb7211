"""Rules for instancetypes."""

from __future__ import annotations

import pytest

from solovirt.api.instancetype.instancetype import validate
from solovirt.api.instancetype.kinds import CLUSTER_INSTANCETYPES
from tests.unit.api.instancetype.samples import make


@pytest.mark.parametrize(
    ("cpu", "memory", "message"),
    [
        ({}, {"overcommitPercent": 101}, "spec.memory.overcommitPercent '101': must be in range between 0 and 100."),
        ({}, {"overcommitPercent": -1}, "spec.memory.overcommitPercent '-1': must be in range between 0 and 100."),
        (
            {},
            {"overcommitPercent": 5, "hugepages": {"pageSize": "2Mi"}},
            "spec.memory.overcommitPercent and spec.memory.hugepages should not be requested together.",
        ),
        ({"guest": 0}, {}, 'spec.cpu.guest: Invalid value: "0": must be greater than or equal to 1'),
        ({"maxSockets": 0}, {}, 'spec.cpu.maxSockets: Invalid value: "0": must be greater than or equal to 1'),
        ({}, {"guest": "0"}, 'spec.memory.guest: Invalid value: "0": must be greater than zero'),
    ],
)
def test_each_problem(cpu: dict[str, object], memory: dict[str, object], message: str) -> None:
    made = make(CLUSTER_INSTANCETYPES, "a", {"cpu": {"guest": 1, **cpu}, "memory": {"guest": "1Gi", **memory}})  # type: ignore[dict-item]
    assert [cause.message for cause in validate(made, None)] == [message]


def test_a_good_one() -> None:
    made = make(CLUSTER_INSTANCETYPES, "a", {"cpu": {"guest": 1}, "memory": {"guest": "1Gi", "overcommitPercent": 100}})
    assert validate(made, None) == []
