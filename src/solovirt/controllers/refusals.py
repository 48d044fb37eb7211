"""KubeVirt's ways of saying no, word for word: clients match on them.

Source: kubevirt pkg/virt-api/rest/{subresource,lifecycle}.go; the texts as a real virt-api sends them.
"""

from __future__ import annotations

from solovirt.kit.errors import BadRequest, Conflict, Forbidden, NotFound

VM, VMI = "virtualmachine.kubevirt.io", "virtualmachineinstance.kubevirt.io"

VM_RUNNING = "VM is already running"
VM_NOT_RUNNING = "VM is not running"
VMI_NOT_PAUSED = "VMI is not paused"
VMI_PAUSED = "VMI is already paused"
UNDERWAY = "unable to complete request: stop/start already underway"
RERUN_FAILED = "RerunOnFailure does not support starting VM from failed state"
SHORTER_GRACE = "Halted only supports manual stop requests with a shorter graceperiod"
NO_AGENT = "VMI does not have guest agent connected"
VMI_IS_PAUSED = "VMI is paused"
NO_WAY_TO_REBOOT = "VMI neither have the agent connected nor the ACPI feature enabled"
DUMPING = "a memory dump is under way"


def conflict(name: str, text: str, kind: str = VM) -> Conflict:
    return Conflict(f'Operation cannot be fulfilled on {kind} "{name}": {text}')


def not_found(name: str, kind: str) -> NotFound:
    return NotFound(f'{kind} "{name}" not found')


def no_manual_start(strategy: str) -> str:
    return f"{strategy} does not support manual start requests"


def no_manual_restart(strategy: str) -> str:
    return f"RunStategy {strategy} does not support manual restart requests"


def pause_forbidden(name: str) -> Forbidden:
    text = "Pausing VMIs with LivenessProbe is currently not supported"
    return Forbidden(f'{VMI} "{name}" is forbidden: {text}')


def not_running() -> BadRequest:
    """Before a console is opened; virtctl tries again for some minutes."""
    return BadRequest("VMI is not running")


def no_reset(phase: str) -> BadRequest:
    return BadRequest(f"Failed to reset non-running VMI with phase {phase}: VMI is not running")


def no_graphics() -> BadRequest:
    return BadRequest("No graphics devices are present.")
