"""The console on a real pseudo-terminal: every way in which it ends, and the terminal afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from solovirt.kit.errors import BadRequest, NotFound
from tests.support import served, terminal
from tests.support.served import Served
from tests.support.system import wait_until
from tests.support.terminal import Terminal

pytestmark = pytest.mark.real
COMMAND = [sys.executable, "-m", "solovirt"]


@pytest.fixture
def server() -> Iterator[Served]:
    """Its console gives back what is typed, in upper case."""
    with served.serving() as made:
        yield made


def environment(server: Served) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SOLOVIRT_") and k != "KUBECONFIG"}
    return {**kept, "SOLOVIRT_SERVER": server.url, "TERM": "xterm"}


@contextlib.contextmanager
def console(server: Served, *words: str) -> Iterator[Terminal]:
    """One that is connected."""
    with terminal.running([*COMMAND, "console", "web", *words], environment(server)) as screen:
        before = screen.modes()
        screen.expect(b"Successfully connected to web console.")
        wait_until(lambda: screen.modes() != before, 60, "a raw terminal")
        assert not screen.modes()[1] & (termios.ICANON | termios.ECHO | termios.ISIG)
        yield screen


def check_restored(screen: Terminal, code: int) -> None:
    assert screen.process.wait(60) == code
    assert screen.modes()[1] & termios.ICANON and screen.modes()[1] & termios.ECHO
    assert screen.modes()[0] & termios.ICRNL


def test_escape(server: Served) -> None:
    """What stands before the escape key is still sent; ^C belongs to the guest."""
    with console(server) as screen:
        screen.send(b"a\x03b")
        screen.expect(b"A\x03B")
        screen.send(b"last" + terminal.ESCAPE + b"never")
        check_restored(screen, 0)
    wait_until(lambda: b"".join(server.operations.consoles[0].written) == b"a\x03blast", 60, "what was typed")


def test_typed_before_it_was_connected(server: Served) -> None:
    with terminal.running([*COMMAND, "console", "web"], environment(server)) as screen:
        screen.send(b"early\n")
        screen.expect(b"EARLY")
        screen.send(terminal.ESCAPE)
        check_restored(screen, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals(server: Served, number: signal.Signals) -> None:
    with console(server) as screen:
        screen.process.send_signal(number)
        check_restored(screen, 128 + number)
        screen.expect(f"ended by {number.name}".encode())
    wait_until(lambda: server.operations.consoles[0].closed, 60, "the server sees the end")


def test_the_guest_stops(server: Served) -> None:
    with console(server) as screen:
        server.do(server.operations.consoles[0].end)
        check_restored(screen, 0)
        screen.expect(b"the guest stopped, or another console took over")


def test_another_console_takes_over(server: Served) -> None:
    with console(server) as first, console(server) as second:
        check_restored(first, 0)
        first.expect(b"another console took over")
        second.send(b"mine")
        second.expect(b"MINE")
        second.send(terminal.ESCAPE)
        check_restored(second, 0)


def test_the_server_goes_away() -> None:
    with served.serving() as server, console(server) as screen:
        server.end()
        check_restored(screen, 1)
        screen.expect(b"The connection to the server is gone; the guest is not affected.")


def test_waits_for_a_vm_that_does_not_run_yet(server: Served) -> None:
    """As virtctl does: 400 means "not yet"."""
    server.operations.failure = BadRequest("VMI web is not running")
    with terminal.running([*COMMAND, "console", "web"], environment(server)) as screen:
        screen.expect(b"waiting for web to run (^C to stop): VMI web is not running")
        assert screen.modes()[1] & termios.ICANON, "not raw as long as nobody is there to read"
        server.operations.failure = None
        screen.expect(b"Successfully connected")
        screen.send(b"x")
        screen.expect(b"X")
        screen.send(terminal.ESCAPE)
        check_restored(screen, 0)


def test_interrupted_while_it_waits(server: Served) -> None:
    server.operations.failure = BadRequest("VMI web is not running")
    with terminal.running([*COMMAND, "console", "web"], environment(server)) as screen:
        screen.expect(b"waiting for web")
        screen.process.send_signal(signal.SIGINT)
        check_restored(screen, 130)


def run(server: Served, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, "console", *words]
    return subprocess.run(command, env=environment(server), input=stdin, capture_output=True, timeout=60)


def test_gives_up(server: Served) -> None:
    server.operations.failure = BadRequest("VMI web is not running")
    began = time.monotonic()
    done = run(server, "web", "--timeout=0.025")
    assert done.returncode == 1
    assert done.stderr == b"error: no console of web within 1.5 s: VMI web is not running\n"
    assert 1.5 <= time.monotonic() - began < 30
    assert len(server.operations.calls) <= 4, "one attempt a second"


def test_other_refusals_are_final(server: Served) -> None:
    server.operations.failure = NotFound('virtualmachineinstance.kubevirt.io "web" not found')
    done = run(server, "web")
    assert done.stderr.decode() == (
        'Error from server (NotFound): virtualmachineinstance.kubevirt.io "web" not found\n'
    )
    assert len(server.operations.calls) == 1


def test_piped_input(server: Served) -> None:
    """The answers are still shown after the end of the input, until there are no more."""
    began = time.monotonic()
    done = run(server, "web", stdin=b"abc" * 100_000)
    assert done.returncode == 0
    assert done.stdout == b"ABC" * 100_000
    assert time.monotonic() - began < 30


def test_piped_input_with_an_escape(server: Served) -> None:
    began = time.monotonic()
    assert run(server, "web", stdin=b"abc" + terminal.ESCAPE + b"def").returncode == 0
    assert time.monotonic() - began < 10, "no waiting for answers"
    wait_until(lambda: server.operations.consoles[0].written == [b"abc"], 60, "what was sent")


def test_nobody_reads(server: Served) -> None:
    """`solovirt console web | head -c 1`."""
    read, write = os.pipe()
    command = [*COMMAND, "console", "web"]
    with subprocess.Popen(
        command, env=environment(server), stdin=subprocess.PIPE, stdout=write, stderr=subprocess.PIPE
    ) as process:
        os.close(write)
        os.close(read)
        _, said = process.communicate(b"abc", timeout=60)
    assert process.returncode == 141
    assert b"Traceback" not in said
