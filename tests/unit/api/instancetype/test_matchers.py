"""spec.instancetype and spec.preference: KubeVirt's sentences."""

from __future__ import annotations

import pytest

from solovirt.api.causes import Causes
from solovirt.api.instancetype.matchers import Matcher, check_matcher
from solovirt.kit.json import convert


def found(value: dict[str, str], old: dict[str, str] | None = None) -> list[tuple[str, str]]:
    causes = Causes()
    former = convert(old, Matcher) if old is not None else None
    check_matcher(causes, convert(value, Matcher), former, "spec.instancetype", "Instancetype")
    return [(cause.field, cause.message) for cause in causes.found]


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ({}, "", "Either Name or InferFromVolume should be provided within the InstancetypeMatcher"),
        (
            {"name": "a", "inferFromVolume": "v"},
            ".name",
            "Name already set, should be cleared before setting inferFromVolume",
        ),
        (
            {"kind": "a", "inferFromVolume": "v"},
            ".kind",
            "Kind already set, should be cleared before setting inferFromVolume",
        ),
        (
            {"inferFromVolume": "v", "inferFromVolumeFailurePolicy": "Maybe"},
            ".inferFromVolumeFailurePolicy",
            "Invalid value 'Maybe' for InferFromVolumeFailurePolicy",
        ),
    ],
)
def test_each_problem(value: dict[str, str], field: str, message: str) -> None:
    ((place, text),) = found(value)
    assert place == f"spec.instancetype{field}"
    assert text.endswith(message)


def test_a_new_name_needs_a_new_revision() -> None:
    old = {"name": "a", "revisionName": "r"}
    ((place, text),) = found({"name": "b", "revisionName": "r"}, old)
    assert place == "spec.instancetype.revisionName"
    assert text.endswith("the Matcher Name has been updated without updating the RevisionName")
    assert found({"name": "b"}, old) == found({"name": "a", "revisionName": "r"}, old) == []


def test_none_is_fine() -> None:
    causes = Causes()
    check_matcher(causes, None, Matcher(name="a"), "spec.preference", "Preference")
    assert causes.found == []
