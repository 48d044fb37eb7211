"""What the controllers of replicas share: whose an object is, doing several things at once, the two conditions.

Must not know what is replicated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from solovirt.api.meta import Condition, KubeObject, OwnerReference, remove_condition, set_condition

BURST = 64
"""At most so many creations or deletions in one step; the changes that they cause bring the next step."""

MOST = 1000
"""So many has one set or pool at most: more than one host can run, and a slip of the finger fills no disk."""

FAILURE, PAUSED = "ReplicaFailure", "ReplicaPaused"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the last step could not do what it should: an event reason and a sentence."""

    reason: str
    message: str


def within_reach(wanted: int) -> tuple[int, str]:
    """How many of ``wanted`` there will be here; a sentence when that is not all."""
    if wanted <= MOST:
        return wanted, ""
    return MOST, f"one host makes at most {MOST} replicas of one object, {wanted} are wanted"


def controller_of(obj: KubeObject) -> OwnerReference | None:
    """The owner that controls ``obj``, if it has one."""
    return next((ref for ref in obj.metadata.owner_references if ref.controller), None)


async def all_of(works: Iterable[Awaitable[None]]) -> None:
    """Everything side by side, so that the store commits it together; then raises the first error, if there was one."""
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def tell_failure(conditions: list[Condition], problem: Problem | None, now: str) -> None:
    if problem is None:
        remove_condition(conditions, FAILURE)
    else:
        condition = Condition(type=FAILURE, status="True", reason=problem.reason, message=problem.message)
        set_condition(conditions, condition, now)


def tell_pause(conditions: list[Condition], paused: bool, reason: str, message: str, now: str) -> bool:
    """True if it was paused or resumed just now."""
    if not paused:
        return remove_condition(conditions, PAUSED)
    return set_condition(conditions, Condition(type=PAUSED, status="True", reason=reason, message=message), now)
