from __future__ import annotations

from solovirt.api.meta import find_condition
from solovirt.kit.errors import HostError
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


async def test_trouble_is_told_and_tried_again_later(lab: Lab) -> None:
    lab.host.prepare_error = HostError("disk full", reason="StorageFull")
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    found = find_condition(lab.vmi("lone").status.conditions, "Synchronized")
    assert found is not None
    assert (found.reason, found.message) == ("StorageFull", "disk full")
    trouble = lab.manager._vmis.starter._troubles[lab.vmi("lone").metadata.uid]
    first = trouble.until
    await lab.pass_(0)
    assert trouble.count == 1, "not before its time"
    trouble.until = 0
    await lab.pass_(0)
    again = lab.manager._vmis.starter._troubles[lab.vmi("lone").metadata.uid]
    assert again.count == 2
    assert again.until > first
    lab.host.prepare_error = None
    again.until = 0
    await lab.pass_(0)
    assert lab.vmi("lone").status.phase == "Running"
    assert lab.manager._vmis.starter._troubles == {}
