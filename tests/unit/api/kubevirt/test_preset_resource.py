"""Rules for presets."""

from __future__ import annotations

import pytest

from solovirt.api.kubevirt.preset_resource import RESOURCE, validate
from solovirt.kit.json import JsonObject
from tests.unit.api.instancetype.samples import make


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"selector": {}}, "spec.domain", "missing domain."),
        (
            {"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}, "domain": {}},
            "spec.selector",
            "is not a valid label selector operator",
        ),
        (
            {"selector": {}, "domain": {"firmware": {"uuid": "none"}}},
            "spec.domain.firmware.uuid",
            "spec.domain.firmware.uuid",
        ),
    ],
)
def test_each_problem(spec: JsonObject, field: str, message: str) -> None:
    (cause,) = validate(make(RESOURCE, "p", spec), None)
    assert cause.field == field
    assert message in cause.message


def test_a_good_one() -> None:
    spec: JsonObject = {"selector": {"matchLabels": {"a": "b"}}, "domain": {"cpu": {"cores": 2}}}
    assert validate(make(RESOURCE, "p", spec), None) == []
