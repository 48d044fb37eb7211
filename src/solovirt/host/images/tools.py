"""One way to run a helper program (skopeo, qemu-img, setfacl): bounded, and never outliving the daemon.

Every child gets PR_SET_PDEATHSIG=KILL (``setpriv --pdeathsig``), so that even ``kill -9`` of the daemon takes it along;
the signal is tied to the thread that spawned it, so ``run`` must be awaited on the event loop's own thread. Limits
are set by ``prlimit`` before the program starts. Knows nothing of what the programs do.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from solovirt.host import packages
from solovirt.kit.errors import HostError

if TYPE_CHECKING:
    import asyncio

_MAX_STDERR = 64 * 1024


class Confinement(msgspec.Struct, frozen=True):
    """``address_space`` in bytes, ``cpu_seconds``; ``user`` is the (uid, gid) to drop to, for a root daemon only."""

    address_space: int = 0
    cpu_seconds: int = 0
    user: tuple[int, int] | None = None


class Completed(msgspec.Struct, frozen=True):
    returncode: int
    stdout: bytes
    stderr: str


FREE = Confinement()


def command_line(tool: str, arguments: Sequence[str], confinement: Confinement, needed_for: str) -> list[str]:
    """The whole argv. Raises ``HostError`` (MissingTool) naming the package of a program that is not there."""
    program = str(packages.require(tool, needed_for=needed_for))
    command = [str(packages.require("setpriv")), "--pdeathsig", "KILL"]
    if confinement.user is not None and os.geteuid() == 0:
        uid, gid = confinement.user
        command += [f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
    if confinement.address_space or confinement.cpu_seconds:
        command += [str(packages.require("prlimit")), "--core=0"]
        if confinement.address_space:
            command.append(f"--as={confinement.address_space}")
        if confinement.cpu_seconds:
            command.append(f"--cpu={confinement.cpu_seconds}")
    return [*command, program, *arguments]


async def run(
    tool: str,
    arguments: Sequence[str],
    *,
    timeout: float,
    needed_for: str = "",
    confinement: Confinement = FREE,
    environ: Mapping[str, str] | None = None,
    max_stdout: int = 1 << 20,
    on_stdout: Callable[[bytes], None] | None = None,
    pass_fds: Sequence[int] = (),
    input_data: bytes = b"",
) -> Completed:
    """Runs to the end. Raises ``HostError`` when the program is missing, too slow or too talkative.

    ``on_stdout`` gets the output as it comes, instead of ``Completed.stdout``. Cancellation kills the program.
    """
    import asyncio

    process = await asyncio.create_subprocess_exec(
        *command_line(tool, arguments, confinement, needed_for),
        stdin=asyncio.subprocess.PIPE if input_data else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environ) if environ is not None else None,
        pass_fds=tuple(pass_fds),
    )
    try:
        async with asyncio.timeout(timeout):
            _, stdout, stderr, code = await asyncio.gather(
                _feed(process, input_data),
                _collect(process.stdout, max_stdout, on_stdout, tool),
                _collect_errors(process.stderr),
                process.wait(),
            )
    except TimeoutError:
        raise HostError(f"{tool} did not finish within {timeout:.0f} s", reason="ToolTimeout") from None
    finally:
        await _end(process)
    return Completed(code, stdout, stderr)


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _collect(
    stream: asyncio.StreamReader | None, limit: int, sink: Callable[[bytes], None] | None, tool: str
) -> bytes:
    data = bytearray()
    while stream is not None and (piece := await stream.read(65536)):
        if sink is not None:
            sink(piece)
            continue
        data += piece
        if len(data) > limit:
            raise HostError(f"{tool} wrote more than {limit} bytes of output", reason="ToolFailed")
    return bytes(data)


async def _collect_errors(stream: asyncio.StreamReader | None) -> str:
    data = bytearray()
    while stream is not None and (piece := await stream.read(65536)):
        data += piece
        del data[:-_MAX_STDERR]
    return data.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills what still runs, closes the pipes and reaps; finishes even when the caller is being cancelled."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    transport: asyncio.SubprocessTransport | None = getattr(process, "_transport", None)
    if transport is not None:
        # Before waiting: asyncio wakes waiters only when all pipes are closed, and a pipe whose reader was stopped
        # by too much output would never see its end.
        transport.close()
    import asyncio

    waiting = asyncio.ensure_future(process.wait())
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await waiting
        raise
