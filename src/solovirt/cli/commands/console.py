"""``console``: the guest's serial console over a WebSocket. ``^]`` leaves; the terminal is always restored."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from solovirt.cli.client import ApiError, path_of, refusal
from solovirt.cli.context import Context
from solovirt.cli.kinds import VM, VMI
from solovirt.cli.progress import Progress
from solovirt.kit.errors import TimedOut
from solovirt.kit.jsontypes import get_object, get_str

if TYPE_CHECKING:
    from solovirt.cli.websocket import WebSocket

ESCAPE = b"\x1d"
PROTOCOL = "plain.kubevirt.io"
RETRY = 1.0
"""Seconds between attempts while the VM is not running, virtctl's."""
QUIET = 1.0
LONGEST = 10.0
"""After the end of a piped stdin the guest's answer is shown until it is quiet for so long, or for at most so long."""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = "Press ^] (control and the right bracket) to leave. A second console takes over from the first."
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--timeout", type=float, default=5, metavar="MINUTES", help="how long to wait for the VM (5)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    """0 after the escape key, the guest's end or the end of a piped stdin; 1 when it broke; 128 + signal."""
    with contextlib.closing(connect(context, args.name, args.timeout * 60)) as connection:
        context.note(f"Successfully connected to {args.name} console. Press Ctrl+] or Ctrl+5 to exit console.")
        session = Session(connection)
        session.run()
    if session.signal:
        context.note(f"\nended by {signal.Signals(session.signal).name}")
        return 128 + session.signal
    if not session.closed_by_server:
        return 0
    if connection.close_code == 1000:
        context.note("\nThe console was closed: the guest stopped, or another console took over.")
        return 0
    context.note("\nThe connection to the server is gone; the guest is not affected.")
    return 1


def connect(context: Context, name: str, timeout: float) -> WebSocket:
    """Connect, and while the VM is not running (400) try again, as virtctl does.

    Raises ApiError for a refusal, TimedOut, Unavailable.
    """
    from solovirt.cli.websocket import Refused, WebSocket

    endpoint = context.endpoint
    path = path_of("subresources.kubevirt.io", "v1", VMI.plural, context.namespace, name, "console")
    deadline = time.monotonic() + timeout
    with Progress(quiet=True) as progress:
        while True:
            try:
                target = endpoint.base_path + path
                return WebSocket(endpoint.connect(), endpoint.authority, target, PROTOCOL, endpoint.headers)
            except Refused as refused:
                error = refusal(path, refused.status, refused.body)
            if refused_for_good(error):
                error.hint = error.hint or _way_out(context, name)
                raise error
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"no console of {name} within {timeout:g} s: {error.message}")
            progress.text(f"waiting for {name} to run (^C to stop): {error.message}")
            time.sleep(min(RETRY, left))


def refused_for_good(error: Exception) -> bool:
    return not isinstance(error, ApiError) or error.status != 400


def _way_out(context: Context, name: str) -> str:
    """What to do about a VM that does not run."""
    try:
        vm = context.client.get(path_of(VM.group, VM.version, VM.plural, context.namespace, name))
    except ApiError:
        return ""
    status = get_str(get_object(vm, "status"), "printableStatus")
    return f"the VM is {status or 'not running'}; `solovirt start {name}` starts it"


class Session:
    """Copies bytes both ways until the escape key, a signal, the end of stdin, or the end of the connection."""

    def __init__(self, connection: WebSocket) -> None:
        self._connection = connection
        self.signal = 0
        self.closed_by_server = False

    def run(self) -> None:
        stdin = sys.stdin.fileno()
        with self._signals() as wake, raw(stdin):
            self._copy(stdin, wake)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """SIGTERM and SIGHUP end the session in order. Gives the descriptor that becomes readable then."""
        wake_read, wake_write = os.pipe()

        def stop(number: int, frame: FrameType | None) -> None:
            self.signal = number
            os.write(wake_write, b"x")

        handlers = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
        try:
            yield wake_read
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            os.close(wake_read)
            os.close(wake_write)

    def _copy(self, stdin: int, wake: int) -> None:
        connection = self._connection
        open_input = True
        quiet = last = 0.0
        show(connection.receive())
        while not connection.closed:
            reads: list[int | WebSocket] = [wake, connection, *([stdin] if open_input and not connection.full else [])]
            # The guest is not quiet as long as it has not got everything.
            until = last if connection.wants_to_write else min(quiet, last)
            timeout = None if open_input else max(until - time.monotonic(), 0)
            ready, writable, _ = select.select(reads, [connection] if connection.wants_to_write else [], [], timeout)
            if wake in ready or not (ready or writable):
                return
            if writable:
                connection.flush()
                quiet = time.monotonic() + QUIET
            if connection in ready:
                show(connection.receive())
                quiet = time.monotonic() + QUIET
            if stdin in ready:
                data = os.read(stdin, 4096)
                before, escape, _ = data.partition(ESCAPE)
                if before:
                    connection.send(before)
                if escape:
                    return
                if not data:
                    open_input = False
                    quiet, last = time.monotonic() + QUIET, time.monotonic() + LONGEST
        self.closed_by_server = True


def show(data: bytes) -> None:
    """All of it: a terminal or a pipe may take less at once."""
    while data:
        data = data[os.write(1, data) :]


@contextlib.contextmanager
def raw(stdin: int) -> Iterator[None]:
    """The terminal passes every key on, until the end of the block, however it ends."""
    if not os.isatty(stdin):
        yield
        return
    saved = termios.tcgetattr(stdin)
    try:
        # Not TCSAFLUSH, the default: what was typed ahead is meant for the guest.
        tty.setraw(stdin, termios.TCSADRAIN)
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(stdin, termios.TCSADRAIN, saved)
