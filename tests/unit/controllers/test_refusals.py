from __future__ import annotations

from solovirt.controllers import refusals


def test_the_words_are_kubevirts() -> None:
    error = refusals.conflict("vm", refusals.VM_RUNNING)
    assert error.message == 'Operation cannot be fulfilled on virtualmachine.kubevirt.io "vm": VM is already running'
    assert error.code == 409
    assert refusals.not_found("x", refusals.VMI).message == 'virtualmachineinstance.kubevirt.io "x" not found'
    assert refusals.no_manual_start("Always") == "Always does not support manual start requests"
    assert refusals.no_manual_restart("Halted") == "RunStategy Halted does not support manual restart requests"
    assert (refusals.not_running().code, refusals.not_running().message) == (400, "VMI is not running")
