from __future__ import annotations

import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.scheduling import LabelSelector, Requirement
from solovirt.api.replicas import add_below, check_replicas, check_selector, wanted_replicas
from solovirt.kit.errors import Cause


@pytest.mark.parametrize(("replicas", "message"), [(-1, "greater than or equal to 0"), (2**31, "less than or equal")])
def test_bounds(replicas: int, message: str) -> None:
    causes = Causes()
    check_replicas(causes, replicas, "spec.replicas")
    [cause] = causes.found
    assert cause.field == "spec.replicas" and message in cause.message
    check_replicas(causes, None, "x")
    check_replicas(causes, 0, "x")
    assert len(causes.found) == 1


def test_selectors() -> None:
    causes = Causes()
    check_selector(causes, LabelSelector(match_labels={"a": "b"}), {"a": "b", "c": "d"}, "spec.selector")
    assert causes.found == []
    check_selector(causes, LabelSelector(match_labels={"a": "b"}), {"c": "d"}, "spec.selector")
    wrong = LabelSelector(match_expressions=[Requirement(key="a", operator="Like")])
    check_selector(causes, wrong, {}, "spec.selector")
    assert [cause.message for cause in causes.found] == [
        "selector does not match labels.",
        '"Like" is not a valid label selector operator',
    ]


def test_places_inside_a_template() -> None:
    causes = Causes()
    add_below(causes, [Cause("R", "spec.a: is wrong, see spec.a", "spec.a"), Cause("R", "all of it")], "spec.template")
    assert causes.found == [
        Cause("R", "spec.template.spec.a: is wrong, see spec.template.spec.a", "spec.template.spec.a"),
        Cause("R", "all of it", "spec.template"),
    ]
    assert wanted_replicas(None) == 1 and wanted_replicas(0) == 0
