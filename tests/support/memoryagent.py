"""A guest agent in memory: files, programs and file systems that a test commands. It knows our scripts by their
text.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
from dataclasses import dataclass, field

from solovirt.hypervisor import agent_copy, agent_exec
from solovirt.hypervisor.agent import GuestAgent
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject, get_int, get_list, get_str


def nowhere() -> socket.socket:
    raise AssertionError("a memory agent has no socket")


def failed(text: str = "no") -> GuestError:
    return GuestError(text, reason="CommandFailed")


@dataclass
class Program:
    """One that was started: ``code`` None while it runs. ``stubborn`` ones need KILL."""

    command: tuple[str, ...]
    env: tuple[str, ...]
    stdin: bytes
    code: int | None = None
    stubborn: bool = False
    signals: list[str] = field(default_factory=list)


@dataclass
class _Handle:
    path: str
    mode: str
    offset: int = 0


class MemoryAgent(GuestAgent):
    """``gates`` hold a command back until they are set; ``failures`` are raised by a command, one at a time, after it
    was done when ``late``.
    """

    def __init__(self, *, shell: bool = True, sha256: bool = True) -> None:
        super().__init__(nowhere)
        self.set_connected(True)
        self.shell = shell
        self.sha256 = sha256
        self.files: dict[str, bytearray] = {}
        self.modes: dict[str, int] = {}
        self.directories = {"/", "/tmp", "/etc"}
        self.handles: dict[int, _Handle] = {}
        self.opened: list[tuple[str, str]] = []
        self.programs: dict[str, Program] = {}
        self.quick: int | None = None
        self.output: tuple[bytes, bytes] = (b"", b"")
        self.frozen = False
        self.filesystems_to_freeze = 1
        self.commands: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.failures: dict[str, list[GuestError]] = {}
        self.late = False
        self._statuses: dict[int, JsonObject | Program] = {}
        self._number = 1000

    async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 10) -> Json:
        self.commands.append(name)
        await asyncio.sleep(0)
        if name in self.gates:
            await self.gates[name].wait()
        errors = self.failures.get(name)
        if errors and not self.late:
            raise errors.pop(0)
        if not self.connected:
            raise GuestError("gone", reason="AgentNotConnected")
        if self.frozen and not name.startswith(("guest-fsfreeze", "guest-ping")):
            raise GuestError(f"{name}: the agent is in frozen state", reason="CommandDisabled")
        method = getattr(self, "_" + name.removeprefix("guest-").replace("-", "_"), None)
        if method is None:
            raise GuestError(f"no {name}", reason="CommandNotFound")
        reply: Json = method(arguments or {})
        if errors:
            raise errors.pop(0)
        return reply

    def forget_programs(self) -> None:
        """The agent was started anew."""
        self._statuses.clear()
        self.handles.clear()

    def _ping(self, arguments: JsonObject) -> Json:
        return {}

    def _file_open(self, arguments: JsonObject) -> Json:
        path, mode = get_str(arguments, "path"), get_str(arguments, "mode")
        if mode == "r" and path not in self.files:
            raise failed(f"failed to open file '{path}' (mode: 'r'): No such file or directory")
        if mode == "w":
            self.files[path] = bytearray()
        self._number += 1
        self.handles[self._number] = _Handle(path, mode)
        self.opened.append((path, mode))
        return self._number

    def _handle(self, arguments: JsonObject) -> _Handle:
        found = self.handles.get(get_int(arguments, "handle"))
        if found is None:
            raise failed("handle not found")
        return found

    def _file_read(self, arguments: JsonObject) -> Json:
        handle = self._handle(arguments)
        content = self.files.get(handle.path, bytearray())
        data = bytes(content[handle.offset : handle.offset + get_int(arguments, "count")])
        handle.offset += len(data)
        return {"count": len(data), "buf-b64": base64.b64encode(data).decode(), "eof": handle.offset >= len(content)}

    def _file_write(self, arguments: JsonObject) -> Json:
        data = base64.b64decode(get_str(arguments, "buf-b64"))
        self.files[self._handle(arguments).path] += data
        return {"count": len(data), "eof": False}

    def _file_seek(self, arguments: JsonObject) -> Json:
        handle = self._handle(arguments)
        base = len(self.files[handle.path]) if arguments["whence"] == 2 else 0
        handle.offset = base + get_int(arguments, "offset")
        return {"position": handle.offset, "eof": False}

    def _file_flush(self, arguments: JsonObject) -> Json:
        self._handle(arguments)
        return {}

    def _file_close(self, arguments: JsonObject) -> Json:
        self._handle(arguments)
        del self.handles[get_int(arguments, "handle")]
        return {}

    def _fsfreeze_freeze(self, arguments: JsonObject) -> Json:
        self.frozen = self.filesystems_to_freeze > 0
        return self.filesystems_to_freeze

    def _fsfreeze_thaw(self, arguments: JsonObject) -> Json:
        self.frozen = False
        return self.filesystems_to_freeze

    def _fsfreeze_status(self, arguments: JsonObject) -> Json:
        return "frozen" if self.frozen else "thawed"

    def _exec(self, arguments: JsonObject) -> Json:
        self._number += 1
        words = [str(word) for word in get_list(arguments, "arg")]
        env = tuple(str(pair) for pair in get_list(arguments, "env"))
        stdin = base64.b64decode(get_str(arguments, "input-data"))
        if get_str(arguments, "path") != agent_exec.SHELL:
            self._statuses[self._number] = _status(self.quick or 0, *self.output)
        elif not self.shell:
            raise failed("guest-exec: Failed to execute child process “/bin/sh” (No such file or directory)")
        elif words[1] == agent_exec._RUN:
            self._statuses[self._number] = self._run(words[3], words[5:], env, stdin)
        else:
            self._statuses[self._number] = self._script(words[1], words[3:])
        return {"pid": self._number}

    def _exec_status(self, arguments: JsonObject) -> Json:
        pid = get_int(arguments, "pid")
        status = self._statuses.get(pid)
        if status is None:
            raise failed(f"PID {pid} does not exist")
        if isinstance(status, Program):
            if status.code is None:
                return {"exited": False}
            status = _status(status.code)
        del self._statuses[pid]
        return status

    def _run(self, folder: str, command: list[str], env: tuple[str, ...], stdin: bytes) -> Program:
        self.directories.add(folder)
        given = self.files.pop(f"{folder}/in", bytearray(stdin))
        self.files[f"{folder}/out"] = bytearray(self.output[0])
        self.files[f"{folder}/err"] = bytearray(self.output[1])
        made = self.programs[folder] = Program(tuple(command), env, bytes(given), self.quick)
        return made

    def _script(self, text: str, words: list[str]) -> JsonObject:
        if text == agent_exec._KILL:
            program = self.programs.get(words[0])
            if program is None or program.code is not None:
                return _status(1)
            program.signals.append(words[1])
            if words[1] == "KILL" or (words[1] == "TERM" and not program.stubborn):
                program.code = 137 if words[1] == "KILL" else 143
            return _status(0)
        if text == agent_exec._STATES:
            return _status(0, "\n".join(self._state(word) for word in words).encode())
        if text == agent_exec._REMOVE:
            for word in words:
                self.directories.discard(word)
                self.programs.pop(word, None)
                for path in [path for path in self.files if path.startswith(f"{word}/")]:
                    del self.files[path]
            return _status(0)
        if text == agent_exec._PATH + agent_exec._MAKE:
            self.directories.add(words[0])
        elif text == agent_copy._REMOVE:
            self.files.pop(words[0], None)
        else:
            return self._copying(text, words)
        return _status(0)

    def _state(self, folder: str) -> str:
        if folder not in self.directories:
            return "gone"
        program = self.programs.get(folder)
        if program is None:
            return "lost"
        return "running" if program.code is None else str(program.code)

    def _copying(self, text: str, words: list[str]) -> JsonObject:
        path = words[0]
        if path in self.directories:
            return _status(21)
        if text == agent_copy._LOOK:
            return self._looked(path)
        if text == agent_copy._BEGIN:
            if (path.rpartition("/")[0] or "/") not in self.directories:
                return _status(24)
            self.files[words[1]] = bytearray()
            return _status(0)
        assert text == agent_copy._FINISH, text
        content = self.files[words[1]]
        if (hashlib.sha256(content).hexdigest() != words[2]) if self.sha256 else (len(content) != int(words[3])):
            return _status(23)
        self.modes[path] = int(words[4], 8)
        self.files[path] = self.files.pop(words[1])
        return _status(0, b"sha256\n" if self.sha256 else b"\n")

    def _looked(self, path: str) -> JsonObject:
        content = self.files.get(path)
        if content is None:
            return _status(20)
        digest = hashlib.sha256(content).hexdigest() if self.sha256 else ""
        return _status(0, f"{len(content)} {self.modes.get(path, 0o644):o} {digest}\n".encode())


def _status(code: int, out: bytes = b"", err: bytes = b"") -> JsonObject:
    return {
        "exited": True,
        "exitcode": code,
        "out-data": base64.b64encode(out).decode(),
        "err-data": base64.b64encode(err).decode(),
    }
