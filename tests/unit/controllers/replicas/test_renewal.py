"""What a running VM lacks; the updates themselves are shown in test_pools."""

from __future__ import annotations

import pytest

from solovirt.controllers.replicas import stamp
from solovirt.controllers.replicas.renewal import Need, need_of
from solovirt.controllers.vm.factory import make_vmi
from tests.unit.controllers.replicas.world import pool


@pytest.mark.parametrize(
    ("revision", "made_of", "need"),
    [
        ("web-1", "a-b", Need.NOTHING),
        ("web-0", "a-b", Need.LABEL),
        ("web-0", "x-b", Need.RESTART),
        ("web-0", "a-x", Need.REPLACEMENT),
        ("web-0", "x-x", Need.REPLACEMENT),
    ],
)
def test_needs(revision: str, made_of: str, need: Need) -> None:
    vm = stamp.make_machine(pool(), "web-0")
    vmi = make_vmi(vm)
    assert need_of(vm, vmi) is Need.NOTHING
    vm.metadata.labels[stamp.REVISION] = "web-1"
    vm.spec.template.metadata.annotations[stamp.MADE_OF] = "a-b"
    vmi.metadata.labels[stamp.REVISION] = revision
    vmi.metadata.annotations[stamp.MADE_OF] = made_of
    assert need_of(vm, vmi) is need
