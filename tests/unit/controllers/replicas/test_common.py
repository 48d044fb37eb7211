from __future__ import annotations

import pytest

from solovirt.api.meta import Condition, OwnerReference
from solovirt.controllers.replicas.common import Problem, all_of, controller_of, tell_failure, tell_pause, within_reach
from tests.unit.controllers.lab import vm

NOW = "2026-01-01T00:00:00Z"


def test_the_controller_is_one_of_the_owners() -> None:
    made = vm()
    assert controller_of(made) is None
    refs = [OwnerReference(api_version="v1", kind="K", name=n, uid=n, controller=n == "b") for n in ("a", "b")]
    made.metadata.owner_references = refs
    assert controller_of(made) is refs[1]


async def test_all_are_done_before_the_first_error_is_raised() -> None:
    done = []

    async def work(name: str, *, fails: bool = False) -> None:
        if fails:
            raise ValueError(name)
        done.append(name)

    with pytest.raises(ValueError, match="first"):
        await all_of([work("first", fails=True), work("second"), work("third", fails=True)])
    assert done == ["second"]


def test_conditions_come_and_go() -> None:
    conditions: list[Condition] = []
    tell_failure(conditions, Problem("FailedCreate", "no space"), NOW)
    assert [(c.type, c.reason, c.message) for c in conditions] == [("ReplicaFailure", "FailedCreate", "no space")]
    assert tell_pause(conditions, True, "Paused", "text", NOW)
    assert not tell_pause(conditions, True, "Paused", "text", NOW)
    tell_failure(conditions, None, NOW)
    assert tell_pause(conditions, False, "Paused", "text", NOW)
    assert not tell_pause(conditions, False, "Paused", "text", NOW)
    assert conditions == []


def test_within_reach() -> None:
    assert within_reach(1000) == (1000, "")
    most, text = within_reach(1001)
    assert most == 1000 and "1001 are wanted" in text
