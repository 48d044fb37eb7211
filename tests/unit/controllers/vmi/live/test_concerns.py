from __future__ import annotations

from typing import cast

from solovirt.controllers.vmi.launcher import Launcher
from solovirt.controllers.vmi.live.concerns import all_concerns


def test_each_has_a_name_of_its_own() -> None:
    names = [concern.name for concern in all_concerns(cast(Launcher, object()))]
    assert names == ["cpus", "memory", "disks", "nics", "devices"], "as conditions are shown"
