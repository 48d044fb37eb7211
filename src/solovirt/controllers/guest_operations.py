"""What users ask of the guest agent, at once. Must not know HTTP."""

from __future__ import annotations

from typing import Protocol

from solovirt.controllers import guest
from solovirt.controllers.site import Site
from solovirt.controllers.targets import Targets
from solovirt.hypervisor.model import ExecResult
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import Json, JsonObject


class ExecRequest(Protocol):
    """A program to run in the guest; ``env`` holds NAME=VALUE strings, ``timeout`` is in seconds."""

    @property
    def command(self) -> tuple[str, ...]: ...

    @property
    def env(self) -> tuple[str, ...]: ...

    @property
    def input(self) -> bytes: ...

    @property
    def timeout(self) -> float: ...


class GuestOperations:
    """All raise NotFound for an unknown VMI, Conflict where no agent is connected, GuestError for what it says."""

    def __init__(self, site: Site, targets: Targets) -> None:
        self._site = site
        self._targets = targets

    async def guest_os_info(self, namespace: str, name: str) -> JsonObject:
        """VirtualMachineInstanceGuestAgentInfo."""
        return await guest.os_info(self._targets.with_agent(namespace, name).agent)

    async def user_list(self, namespace: str, name: str) -> JsonObject:
        """VirtualMachineInstanceGuestOSUserList."""
        return await guest.user_list(self._targets.with_agent(namespace, name).agent)

    async def filesystem_list(self, namespace: str, name: str) -> JsonObject:
        """VirtualMachineInstanceFileSystemList."""
        return await guest.filesystem_list(self._targets.with_agent(namespace, name).agent)

    async def agent_command(
        self, namespace: str, name: str, command: str, arguments: JsonObject, *, timeout: float
    ) -> Json:
        """Any guest agent command; its raw reply. GuestError reason AgentTimeout after ``timeout`` seconds."""
        agent = self._targets.with_agent(namespace, name).agent
        return await agent.command(command, arguments or None, timeout=timeout)

    async def guest_exec(self, namespace: str, name: str, request: ExecRequest) -> ExecResult:
        """Run a program in the guest and wait for its end."""
        if not request.command:
            raise BadRequest("command: at least one word is required", field="command")
        agent = self._targets.with_agent(namespace, name).agent
        return await agent.execute(
            request.command[0],
            request.command[1:],
            env=request.env,
            input_data=request.input or None,
            timeout=request.timeout,
        )
