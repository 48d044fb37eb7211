"""``console``: the guest's serial console over a WebSocket. ``^]`` leaves; the terminal is always restored."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import termios
import threading
import time
import tty
from types import FrameType
from typing import TYPE_CHECKING

from solovirt.cli.client import path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI
from solovirt.kit.errors import SolovirtError, TimedOut, Unavailable

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

ESCAPE = b"\x1d"
PROTOCOL = "plain.kubevirt.io"


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = "Press ^] (control and the right bracket) to leave. A second console takes over from the first."
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--timeout", type=float, default=5, metavar="MINUTES", help="how long to wait for the VM (5)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    connection = connect(context, args.name, args.timeout * 60)
    context.note(f"Successfully connected to {args.name} console. Press Ctrl+] or Ctrl+5 to exit console.")
    try:
        ended = Session(connection).run()
    finally:
        connection.close()
    if ended:
        context.note(f"\n{ended}")
    return 0


def connect(context: Context, name: str, timeout: float) -> ClientConnection:
    """Connect, and while the VM is not running (400) try again every second, as virtctl does."""
    from websockets.exceptions import InvalidHandshake, InvalidStatus
    from websockets.sync.client import connect as websocket
    from websockets.typing import Subprotocol

    endpoint = context.endpoint
    path = path_of("subresources.kubevirt.io", "v1", VMI.plural, context.namespace, name, "console")
    deadline = time.monotonic() + timeout
    while True:
        try:
            return websocket(
                f"ws://{endpoint.authority}{endpoint.base_path}{path}",
                sock=endpoint.connect(),
                subprotocols=[Subprotocol(PROTOCOL)],
                additional_headers=endpoint.headers,
                compression=None,
                max_size=None,
                proxy=None,
            )
        except InvalidStatus as refusal:
            error = _refusal(refusal.response.status_code, bytes(refusal.response.body or b""))
            if refusal.response.status_code != 400:
                raise error from None
            if time.monotonic() > deadline:
                raise TimedOut(f"no console of {name} within {timeout:g} s: {error.message}") from None
            time.sleep(min(1.0, max(timeout, 0.1)))
        except (InvalidHandshake, OSError) as error:
            raise Unavailable(f"the console of {name} cannot be opened: {error}") from error


def _refusal(status: int, body: bytes) -> SolovirtError:
    from solovirt.cli.client import ApiError, _status

    return ApiError(status, _status(status, body))


class Session:
    """Copies bytes both ways until the escape key, the end of stdin, or the end of the connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ended = ""
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> str:
        """Returns why it ended, "" for the escape key. The terminal is raw only in here."""
        stdin = sys.stdin.fileno()
        saved = termios.tcgetattr(stdin) if os.isatty(stdin) else None
        handlers = {s: signal.signal(s, self._stop) for s in (signal.SIGTERM, signal.SIGHUP)}
        reader = threading.Thread(target=self._from_guest, daemon=True)
        try:
            if saved is not None:
                # Not TCSAFLUSH, the default: what was typed ahead is meant for the guest.
                tty.setraw(stdin, termios.TCSADRAIN)
            reader.start()
            self._to_guest(stdin)
        finally:
            if saved is not None:
                termios.tcsetattr(stdin, termios.TCSADRAIN, saved)
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return self._ended

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._finish(f"stopped by {signal.Signals(number).name}")

    def _finish(self, why: str) -> None:
        self._ended = self._ended or why
        os.write(self._wake_write, b"x")

    def _from_guest(self) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            for message in self._connection:
                data = message if isinstance(message, bytes) else message.encode()
                os.write(sys.stdout.fileno(), data)
        except ConnectionClosed:
            pass
        self._finish("the console was closed: the guest stopped, or another console took over")

    def _to_guest(self, stdin: int) -> None:
        from websockets.exceptions import ConnectionClosed

        watched = [stdin, self._wake_read]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._wake_read in ready:
                return
            data = os.read(stdin, 4096)
            if not data:
                # A pipe came to its end: what the guest still says is shown until it is quiet.
                watched.remove(stdin)
                threading.Timer(2.0, self._finish, [""]).start()
                continue
            before, escape, _ = data.partition(ESCAPE)
            try:
                if before:
                    self._connection.send(before)
            except ConnectionClosed:
                return
            if escape:
                return
