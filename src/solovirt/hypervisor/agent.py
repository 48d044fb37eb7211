"""The guest agent of one instance: commands with time limits, and typed readers.

QEMU's qemu-ga answers one command at a time on one connection, and the other side of it is a guest: dead, slow, hostile
or just booting. No command is sent while the guest does not have the agent's port open (QEMU would keep it and
deliver it at some later boot). The connection is made at first use and kept while the port is open: without a peer,
qemu-ga polls the port ten times a second.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
from collections.abc import Callable, Sequence

from solovirt.hypervisor.agent_channel import AgentChannel
from solovirt.hypervisor.agent_commands import hint, redacted
from solovirt.hypervisor.agent_info import AgentInfo, FileSystem, Interface, OsInfo, Timezone, User, read
from solovirt.hypervisor.model import ExecResult
from solovirt.kit.errors import BadRequest, GuestError, HostError
from solovirt.kit.json import Json, JsonObject, get_int, get_object, get_str
from solovirt.kit.text import printable

REPLY_LIMIT = 16 * 1024 * 1024
LARGE_REPLY_LIMIT = 64 * 1024 * 1024
LARGE_REPLIES = frozenset({"guest-exec-status", "guest-file-read"})
"""qemu-ga captures up to 16 MiB of each stream and reads up to 48 MiB of a file; base64 makes a third more of it."""

INPUT_LIMIT = 16 * 1024 * 1024
NO_REPLY = frozenset({"guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid"})
"""They answer only when they fail (``success-response: false`` in qga/qapi-schema.json)."""
NO_REPLY_PATIENCE = 2.0
TIMEOUT = 10.0
NO_ANSWER = ("AgentTimeout", "GuestAsleep")
"""Reasons that tell nothing of the guest but that it may answer later."""
DESCRIPTION_LIMIT = 64 * 1024
"""Characters of an error's text that are looked at; far fewer are shown."""


class GuestAgent:
    """``connect`` makes a connected, non-blocking socket to the channel; it raises ``OSError`` or ``HostError``.
    ``asleep`` says why the guest's CPUs stand still; "" while they do not.

    All commands raise ``GuestError`` with one of these reasons: "AgentNotConnected", "GuestAsleep", "AgentTimeout",
    "CommandDisabled", "CommandNotFound" (this agent does not know it), "CommandFailed", "AgentBadReply" (the guest
    breaks the protocol).
    """

    def __init__(self, connect: Callable[[], socket.socket], asleep: Callable[[], str] = str) -> None:
        self._connect = connect
        self._asleep = asleep
        self._channel: AgentChannel | None = None
        self._turn = asyncio.Lock()
        self._connected = False

    @property
    def connected(self) -> bool:
        """Whether the guest has the agent's port open: an agent runs in it."""
        return self._connected

    def set_connected(self, connected: bool) -> None:
        """The instance's word on it, from QEMU. Closing ends a command under way."""
        self._connected = connected
        if not connected:
            self.close()

    def close(self) -> None:
        """Hang up; the next command connects again."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def command(
        self,
        name: str,
        arguments: JsonObject | None = None,
        *,
        timeout: float = TIMEOUT,
        patience: float = NO_REPLY_PATIENCE,
    ) -> Json:
        """The value that any agent command returns, as it came. ``timeout`` is in seconds and includes the wait for
        commands before it. One of ``NO_REPLY`` has succeeded, with {}, after ``patience`` seconds of silence.
        """
        limit = LARGE_REPLY_LIMIT if name in LARGE_REPLIES else REPLY_LIMIT
        silence = patience if name in NO_REPLY else None
        try:
            async with asyncio.timeout(timeout), self._turn:
                channel = await self._open()
                reply = await channel.exchange(name, arguments, limit=limit, silence_after=silence)
        except TimeoutError as error:
            raise GuestError(
                f"the guest agent did not answer {name} within {timeout:g} s", reason="AgentTimeout"
            ) from error
        return _value(name, arguments, reply)

    async def execute(
        self,
        path: str,
        args: Sequence[str] = (),
        *,
        env: Sequence[str] = (),
        input_data: bytes | None = None,
        timeout: float = 60.0,
    ) -> ExecResult:
        """Run a program in the guest and wait for its end (guest-exec). ``env`` are "NAME=value" strings; empty means
        the agent's own environment. ``path`` without a slash is looked up in the agent's PATH.

        When the time is over, reason "AgentTimeout": the program goes on in the guest, the agent cannot end it.
        """
        if input_data is not None and len(input_data) > INPUT_LIMIT:
            raise BadRequest(f"input is larger than {INPUT_LIMIT} bytes")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        request: JsonObject = {"path": path, "arg": list(args), "capture-output": True}
        if env:
            request["env"] = list(env)
        if input_data is not None:
            request["input-data"] = base64.b64encode(input_data).decode("ascii")
        started = await self.command("guest-exec", request, timeout=timeout)
        if not isinstance(started, dict) or not (pid := get_int(started, "pid")):
            raise GuestError("guest-exec: the reply has no pid", reason="AgentBadReply")
        pause = 0.005
        while (left := deadline - loop.time()) > 0:
            status = await self.command("guest-exec-status", {"pid": pid}, timeout=max(left, 1.0))
            if isinstance(status, dict) and status.get("exited") is True:
                return _exec_result(status)
            await asyncio.sleep(min(pause, max(left, 0)))
            pause = min(pause * 1.5, 0.25)
        raise GuestError(
            f"{printable(path, 256)} did not end within {timeout:g} s",
            reason="AgentTimeout",
            hint=f"it goes on in the guest as process {pid}",
        )

    async def ping(self, *, timeout: float = TIMEOUT) -> None:
        await self.command("guest-ping", timeout=timeout)

    async def info(self) -> AgentInfo:
        return read("guest-info", await self.command("guest-info"), AgentInfo)

    async def osinfo(self) -> OsInfo:
        return read("guest-get-osinfo", await self.command("guest-get-osinfo"), OsInfo)

    async def hostname(self) -> str:
        reply = read("guest-get-host-name", await self.command("guest-get-host-name"), dict[str, str])
        return reply.get("host-name", "")

    async def timezone(self) -> Timezone:
        return read("guest-get-timezone", await self.command("guest-get-timezone"), Timezone)

    async def users(self) -> tuple[User, ...]:
        return read("guest-get-users", await self.command("guest-get-users"), tuple[User, ...])

    async def interfaces(self) -> tuple[Interface, ...]:
        reply = await self.command("guest-network-get-interfaces")
        return read("guest-network-get-interfaces", reply, tuple[Interface, ...])

    async def filesystems(self) -> tuple[FileSystem, ...]:
        return read("guest-get-fsinfo", await self.command("guest-get-fsinfo"), tuple[FileSystem, ...])

    async def fsfreeze_status(self) -> str:
        """ "thawed" or "frozen"."""
        return read("guest-fsfreeze-status", await self.command("guest-fsfreeze-status"), str)

    async def _open(self) -> AgentChannel:
        if not self.connected:
            raise GuestError("no guest agent is connected", reason="AgentNotConnected", hint=_HINT)
        if why := self._asleep():
            raise GuestError(f"the guest agent cannot answer: {why}", reason="GuestAsleep")
        if self._channel is None or not self._channel.is_open:
            try:
                self._channel = channel = await AgentChannel.open(self._connect())
            except (OSError, HostError) as error:
                raise GuestError(
                    f"the guest agent's channel cannot be reached: {error}", reason="AgentNotConnected"
                ) from error
            if not self._connected:  # it went away meanwhile
                channel.close()
        return self._channel


_HINT = "install and start qemu-guest-agent in the guest"


def _value(command: str, arguments: JsonObject | None, reply: JsonObject) -> Json:
    if "return" in reply:
        return reply["return"]
    error = get_object(reply, "error")
    text = printable(redacted(printable(get_str(error, "desc"), DESCRIPTION_LIMIT), command, arguments))
    if not text:
        raise GuestError(f"{command}: the guest agent sent neither a result nor an error", reason="AgentBadReply")
    reason = "CommandFailed"
    if get_str(error, "class") == "CommandNotFound":
        reason = "CommandDisabled" if "disabled" in text else "CommandNotFound"
    raise GuestError(f"{command}: {text}", reason=reason, hint=hint(command, reason, text))


def _exec_result(status: JsonObject) -> ExecResult:
    signal = get_int(status, "signal") if "signal" in status else None
    exit_code = get_int(status, "exitcode") if signal is None else None
    return ExecResult(
        exit_code=exit_code,
        signal=signal,
        stdout=_binary(status, "out-data"),
        stderr=_binary(status, "err-data"),
        stdout_truncated=status.get("out-truncated") is True,
        stderr_truncated=status.get("err-truncated") is True,
    )


def _binary(status: JsonObject, key: str) -> bytes:
    try:
        return base64.b64decode(get_str(status, key), validate=True)
    except (binascii.Error, ValueError) as error:
        raise GuestError(f"guest-exec-status: {key} is not base64", reason="AgentBadReply") from error
