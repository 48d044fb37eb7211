"""Whether a guest's agent can do what is wanted of it. Pure.

Source: kubevirt pkg/virt-handler/guest_agent.go: the command lists and the sentences.
"""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.hypervisor.agent_info import AgentInfo

BASIC = (
    "guest-ping",
    "guest-get-time",
    "guest-info",
    "guest-shutdown",
    "guest-network-get-interfaces",
    "guest-get-fsinfo",
    "guest-get-host-name",
    "guest-get-users",
    "guest-get-timezone",
    "guest-get-osinfo",
)
KEYS = ("guest-ssh-add-authorized-keys",)
PASSWORD = ("guest-set-user-password",)
EXEC = ("guest-exec", "guest-exec-status")


def unsupported(spec: VirtualMachineInstanceSpec, info: AgentInfo) -> str:
    """Why this agent does not do, in KubeVirt's words; "" when it does."""
    usable = {command.name for command in info.supported_commands if command.enabled}
    keys = any(
        one.ssh_public_key is not None and one.ssh_public_key.propagation_method.qemu_guest_agent is not None
        for one in spec.access_credentials
    )
    password = any(one.user_password is not None for one in spec.access_credentials)
    probes = (spec.readiness_probe, spec.liveness_probe)
    wanted = (
        ("basic", BASIC, True),
        ("public key", KEYS, keys),
        ("password", PASSWORD, password),
        ("exec probe", EXEC, any(probe is not None and probe.exec is not None for probe in probes)),
    )
    for name, commands, needed in wanted:
        if needed and not usable.issuperset(commands):
            return f"This guest agent doesn't support required {name} commands"
    return ""
