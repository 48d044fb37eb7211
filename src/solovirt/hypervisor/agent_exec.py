"""Programs in the guest whose output is seen while they run, that can be ended, and that outlive us.

qemu-ga tells a program's output only at its end, cannot end it, and forgets it with itself. So a small shell script
runs it: output goes into files in a directory that only the guest's root can enter, where its process id and at last
its exit status are kept too. The program has a session of its own where the guest has setsid(1), so that it is ended
with all its children. Guests without /bin/sh (Windows) have none of this.

Everything that is given to a script is an argument of its own, never part of its text. Must not know who asks.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from typing import Literal

from solovirt.hypervisor.agent import INPUT_LIMIT, GuestAgent
from solovirt.hypervisor.model import ExecResult
from solovirt.kit.errors import BadRequest, GuestError
from solovirt.kit.json import JsonObject, get_int, get_str
from solovirt.kit.text import printable

SHELL = "/bin/sh"
START_PATIENCE = 30.0
"""Seconds until the agent must have said that it started a program."""
OUT, ERR, INPUT = "out", "err", "in"
"""Files in a program's directory."""
_ID = re.compile(r"[0-9a-f]{16}")
_PATH = "PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}; export PATH\n"
_MAKE = 'mkdir -m 700 "$1"'
# Descriptor 3 is the stdin that the agent gave: a command in the background would get /dev/null.
_RUN = (
    _PATH
    + """d=$1; made=$2; shift 2
[ "$made" ] || mkdir -m 700 "$d" || exit 125
if [ -e "$d/in" ]; then exec 3<"$d/in"; rm -f "$d/in"; else exec 3<&0; fi
: >"$d/out" || exit 125
: >"$d/err" || exit 125
if command -v setsid >/dev/null 2>&1; then
  setsid "$@" <&3 3<&- >>"$d/out" 2>>"$d/err" &
else
  "$@" <&3 3<&- >>"$d/out" 2>>"$d/err" &
fi
p=$!
read b </proc/sys/kernel/random/boot_id
echo "$p $b" >"$d/pid"
exec 3<&-
wait $p
c=$?
echo $c >"$d/code"
exit $c
"""
)
_KILL = (
    _PATH
    + """read p was <"$1/pid" || exit 1
read now </proc/sys/kernel/random/boot_id
[ ! -s "$1/code" ] && [ "$was" = "$now" ] || exit 1
kill -s "$2" -- "-$p" 2>/dev/null || kill -s "$2" "$p"
"""
)
_STATES = (
    _PATH
    + """read now </proc/sys/kernel/random/boot_id
for d; do
  if [ ! -d "$d" ]; then echo gone
  elif [ -s "$d/code" ]; then read c <"$d/code"; echo "$c"
  elif read p was 2>/dev/null <"$d/pid" && [ "$was" = "$now" ] && kill -0 "$p" 2>/dev/null; then echo running
  elif [ -s "$d/code" ]; then read c <"$d/code"; echo "$c"
  else echo lost; fi
done
"""
)
_REMOVE = _PATH + 'rm -rf -- "$@"\n'

Signal = Literal["TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT"]
SIGNALS: tuple[Signal, ...] = ("TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT")


def new_id() -> str:
    """16 hexadecimal digits. Nobody in the guest can guess them, so nobody can be there first."""
    return secrets.token_hex(8)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def folder(exec_id: str) -> str:
    """A program's directory in the guest."""
    return f"/tmp/.solovirt-exec-{exec_id}"


async def script(agent: GuestAgent, text: str, *arguments: str, timeout: float = 30.0) -> ExecResult:
    """Run a shell script of ours to its end. Raises as ``GuestAgent.execute``."""
    return await agent.execute(SHELL, ["-c", text, "sh", *arguments], timeout=timeout)


async def start(
    agent: GuestAgent,
    directory: str,
    command: Sequence[str],
    *,
    env: Sequence[str] = (),
    input_data: bytes | None = None,
    prepared: bool = False,
    timeout: float = START_PATIENCE,
) -> int:
    """Start ``command``; the process id of the script around it.

    ``env`` as for ``GuestAgent.execute``. ``prepared``: :func:`prepare` made the directory, and what lies there in the
    file ``INPUT`` is the program's stdin. Raises ``GuestError``; :func:`has_no_shell` tells that apart.
    """
    if input_data is not None and len(input_data) > INPUT_LIMIT:
        raise BadRequest(f"input is larger than {INPUT_LIMIT} bytes")
    words = ["-c", _RUN, "sh", directory, "made" if prepared else "", *command]
    request: JsonObject = {"path": SHELL, "arg": list(words), "capture-output": True}
    if env:
        request["env"] = list(env)
    if input_data is not None:
        request["input-data"] = base64.b64encode(input_data).decode("ascii")
    reply = await agent.command("guest-exec", request, timeout=timeout)
    pid = get_int(reply, "pid") if isinstance(reply, dict) else 0
    if not pid:
        raise GuestError("guest-exec: the reply has no pid", reason="AgentBadReply")
    return pid


async def ended(agent: GuestAgent, pid: int, *, timeout: float = 10.0) -> int | None:
    """The exit status of what :func:`start` gave, as a shell tells it (128 + N for signal N); None while it runs.

    Once told, the agent has forgotten it. Raises ``GuestError`` reason "CommandFailed" for a pid that it does not know,
    and "ExecFailed" with what the script around the program complained about.
    """
    status = await agent.command("guest-exec-status", {"pid": pid}, timeout=timeout)
    if not isinstance(status, dict) or status.get("exited") is not True:
        return None
    if number := get_int(status, "signal"):
        return 128 + number
    code = get_int(status, "exitcode")
    if code == 125 and (said := _text(status)):
        raise GuestError(f"the guest could not start the command: {said}", reason="ExecFailed")
    return code


async def prepare(agent: GuestAgent, directory: str) -> None:
    """Make a program's directory before its start, for a stdin that is written into it."""
    done = await script(agent, _PATH + _MAKE, directory)
    if done.exit_code != 0:
        raise _failed("the guest cannot make a directory", done)


def has_no_shell(error: GuestError) -> bool:
    """Whether a start failed because there is no /bin/sh in the guest."""
    return error.reason == "CommandFailed" and "child process" in error.message


async def signal(agent: GuestAgent, directory: str, number: Signal) -> bool:
    """Send it to the program and all its children; False when there is nothing (any more) to send it to."""
    return (await script(agent, _KILL, directory, number)).exit_code == 0


async def terminate(agent: GuestAgent, directory: str) -> None:
    """TERM, and KILL for what is not gone after two seconds."""
    if not await signal(agent, directory, "TERM"):
        return
    for pause in (0.05, 0.1, 0.25, 0.6, 1.0):
        await asyncio.sleep(pause)
        if await states(agent, [directory]) != ["running"]:
            return
    await signal(agent, directory, "KILL")


async def states(agent: GuestAgent, directories: Sequence[str]) -> list[str]:
    """For each directory "running", the exit status as digits, "gone" (the directory), or "lost" (it was killed
    together with the script around it).
    """
    if not directories:
        return []
    done = await script(agent, _STATES, *directories)
    words = done.stdout.decode("ascii", "replace").split()
    if done.exit_code != 0 or len(words) != len(directories):
        raise _failed("the guest cannot look after its programs", done)
    return [word if word in ("running", "gone", "lost") or _is_status(word) else "lost" for word in words]


async def remove(agent: GuestAgent, directories: Sequence[str]) -> None:
    """Forget what programs left."""
    if directories:
        await script(agent, _REMOVE, *directories)


def _is_status(word: str) -> bool:
    return word.isdigit() and len(word) <= 3 and int(word) <= 255


def _text(status: JsonObject) -> str:
    """What a script of ours wrote to its stderr: none of the program's output is in there."""
    try:
        said = base64.b64decode(get_str(status, "err-data"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise GuestError("guest-exec-status: err-data is not base64", reason="AgentBadReply") from error
    return printable(said[:1024].decode("utf-8", "replace").strip(), 512)


def _failed(what: str, done: ExecResult) -> GuestError:
    said = (done.stderr or done.stdout)[:1024].decode("utf-8", "replace").strip()
    return GuestError(printable(f"{what}: {said}" if said else what, 512), reason="CommandFailed")
