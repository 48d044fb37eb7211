from __future__ import annotations

from hypothesis import given, settings

from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.live.merge import merge, needs_restart
from solovirt.api.kubevirt.spec.compute import Memory
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.kit.json import clone
from tests.support.specs import Spec, defaulted


@settings(max_examples=30, deadline=None)
@given(defaulted())
def test_a_spec_that_did_not_change_asks_for_nothing(spec: Spec) -> None:
    merged = merge(spec, spec)
    assert merged == spec
    assert not needs_restart(spec, merged)


@settings(max_examples=30, deadline=None)
@given(defaulted(), defaulted())
def test_merging_changes_neither_and_again_changes_nothing(wanted: Spec, running: Spec) -> None:
    before = clone(wanted), clone(running)
    merged = merge(wanted, running)
    assert (wanted, running) == before
    assert merge(wanted, merged) == merged


def test_what_no_running_machine_can_follow_is_left() -> None:
    running = VirtualMachineInstanceSpec(domain=Domain(memory=Memory(guest="1Gi")))
    default_vmi(VirtualMachineInstance(spec=running))
    wanted = clone(running)
    wanted.hostname = "other"
    merged = merge(wanted, running)
    assert merged == running
    assert needs_restart(wanted, merged)
