from __future__ import annotations

from typing import cast

from solovirt.api.kubevirt.virtualmachineinstance import VolumeStatus
from solovirt.api.meta import Condition
from solovirt.controllers.site import Site
from solovirt.controllers.vmi.live.board import CONDITION, Board
from solovirt.controllers.vmi.live.concern import Report, Update
from solovirt.controllers.vmi.records import MachineRecords
from solovirt.hypervisor.instance import Instance
from tests.unit.controllers.lab import lone_vmi


def board(told: list[Report], *before: VolumeStatus, refused: bool = False) -> Board:
    vmi = lone_vmi()
    vmi.status.volume_status = list(before)
    if refused:
        vmi.status.conditions = [Condition(type=CONDITION, status="False", reason="Old")]
    return Board(Update(cast(Site, None), cast(MachineRecords, None), vmi, cast(Instance, None), told.append))


def test_steps_are_told_as_they_come() -> None:
    told: list[Report] = []
    made = board(told)
    made.show("a", "Bound")
    made.show("a", "AttachedToNode")
    assert [report.volumes["a"].phase for report in told] == ["Bound", "AttachedToNode"]
    made.done("a")
    assert made.report() == Report()


def test_what_fails_again_does_not_flicker() -> None:
    told: list[Report] = []
    made = board(told, VolumeStatus(name="a", phase="Pending", reason="NoFreeSlot"), refused=True)
    made.show("a", "Bound")
    assert told == []
    made.show("b", "Bound")
    assert told[0].volumes["a"].reason == "NoFreeSlot" and told[0].conditions[0].reason == "Old"
    made.stay("a", "Pending", "NoFreeSlot", "still none")
    made.problem("a", "NoFreeSlot", "still none")
    made.again(9)
    made.again(5)
    report = made.report()
    assert (report.again, report.conditions[0].message) == (5, "a: still none")
    assert set(report.volumes) == {"a", "b"}


def test_the_last_word_says_nothing_of_old_failures() -> None:
    made = board([], VolumeStatus(name="gone", phase="Detaching", reason="UnplugTimeout"), refused=True)
    assert made.report() == Report()
