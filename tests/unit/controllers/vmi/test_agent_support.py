from __future__ import annotations

from solovirt.api.kubevirt.spec.probes import ExecAction, Probe
from solovirt.controllers.vmi.agent_support import BASIC, EXEC, unsupported
from solovirt.hypervisor.agent_info import AgentInfo, SupportedCommand
from tests.unit.controllers.lab import spec
from tests.unit.controllers.vmi.test_credentials import made


def info(*names: str, off: str = "") -> AgentInfo:
    return AgentInfo("7.2", tuple(SupportedCommand(name, name != off) for name in names))


def test_what_is_needed() -> None:
    assert unsupported(spec(), info(*BASIC)) == ""
    text = "This guest agent doesn't support required {} commands"
    assert unsupported(spec(), info(*BASIC, off="guest-ping")) == text.format("basic")
    keyed = made().spec
    assert unsupported(keyed, info(*BASIC)) == text.format("public key")
    assert unsupported(keyed, info(*BASIC, "guest-ssh-add-authorized-keys")) == text.format("password")
    probed = spec()
    probed.liveness_probe = Probe(exec=ExecAction(command=["true"]))
    assert unsupported(probed, info(*BASIC)) == text.format("exec probe")
    assert unsupported(probed, info(*BASIC, *EXEC)) == ""
