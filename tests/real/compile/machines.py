"""Golden cases made real: their files exist, and QEMU is given their command line."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from io import BufferedRWPair
from pathlib import Path

import msgspec

from solovirt.compile.context import Context
from solovirt.compile.layout import allocate
from solovirt.compile.plan import ENDPOINTS, compile_machine
from solovirt.compile.render import argv
from solovirt.host.model.bindings import Bindings, DiskImage, Pins
from solovirt.host.model.facts import HostFacts
from solovirt.kit.json import Json, JsonObject, decode_object, encode
from tests.golden.cases import RUNTIME, STATE, Case
from tests.real.compile import beside, standins

TIME_LIMIT = 30.0
_SIZE = 1 << 20


@contextlib.contextmanager
def on_disk(case: Case) -> Iterator[Bindings]:
    """The case's bindings in a short temporary directory, with every file that they name."""
    base = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    try:
        text = msgspec.json.encode(case.bindings).decode()
        text = text.replace(RUNTIME, str(base / "run")).replace(STATE, str(base / "state"))
        bindings = msgspec.json.decode(text, type=Bindings)
        # The device of a LUN is replaced on the command line.
        luns = {disk.name for disk in case.spec.domain.devices.disks if disk.lun is not None}
        volumes = {
            name: volume if name in luns else msgspec.structs.replace(volume, image=_plain(volume.image))
            for name, volume in bindings.volumes.items()
        }
        bindings = msgspec.structs.replace(bindings, volumes=volumes)
        for path in (bindings.sockets.qmp, bindings.sockets.serial_log):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        for volume in bindings.volumes.values():
            _create(volume.image)
        if bindings.kernel:
            for path in filter(None, (bindings.kernel.kernel, bindings.kernel.initrd)):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_bytes(_kernel())
        bindings = beside.made(case, bindings, base)
        with beside.served(case, bindings, base):
            yield bindings
    finally:
        shutil.rmtree(base)


def context(case: Case, facts: HostFacts, bindings: Bindings) -> Context:
    """What configurators get, with the layout of the case."""
    pins = compile_machine(case.spec, facts, bindings).pins
    bare = Context(case.spec, facts, bindings)
    endpoints = [endpoint for source in ENDPOINTS for endpoint in source(bare)]
    return Context(case.spec, facts, bindings, allocate(endpoints, pins.pci, 0))


def compiled(case: Case, facts: HostFacts, bindings: Bindings, pins: Pins | None = None) -> tuple[list[str], Pins]:
    given = msgspec.structs.replace(bindings, pins=pins) if pins else bindings
    machine = compile_machine(case.spec, facts, given, prefix=case.prefix)
    return argv(machine), machine.pins


def start(words: list[str], qmp: str, more: Sequence[tuple[str, JsonObject]] = ()) -> tuple[Json, Json]:
    """Starts QEMU, sends ``more`` commands, asks ``query-status`` and ``query-pci``, ends it. Returns both answers;
    raises AssertionError with what QEMU printed. ``standins`` says what is replaced beforehand."""
    answers = _session(words, qmp, [*more, ("query-status", {}), ("query-pci", {}), ("quit", {})])
    return answers[-3], answers[-2]


def ask(words: list[str], qmp: str, command: tuple[str, JsonObject]) -> Json:
    """The answer to one command."""
    return _session(words, qmp, [command, ("quit", {})])[-2]


def _session(words: list[str], qmp: str, commands: list[tuple[str, JsonObject]]) -> list[Json]:
    words = standins.replaced(words)
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed)
        try:
            answers = talk(process, qmp, commands)
            process.wait(TIME_LIMIT)
        except (AssertionError, OSError) as error:
            printed.seek(0)
            raise AssertionError(f"{error}\n{printed.read().decode(errors='replace')}\n" + "\n".join(words)) from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert process.returncode == 0
    return answers


def talk(process: subprocess.Popen[bytes], path: str, commands: list[tuple[str, JsonObject]]) -> list[Json]:
    """Says the commands over QMP, as soon as QEMU listens. Returns the answers, that of the greeting first."""
    deadline = time.monotonic() + TIME_LIMIT
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIME_LIMIT)
        while connection.connect_ex(path):
            assert process.poll() is None, f"QEMU ended with {process.returncode}"
            assert time.monotonic() < deadline, "QEMU does not listen"
            time.sleep(0.01)
        with connection.makefile("rwb") as stream:
            stream.readline()
            return [_ask(stream, name, arguments) for name, arguments in [("qmp_capabilities", {}), *commands]]


def _ask(stream: BufferedRWPair, command: str, arguments: JsonObject) -> Json:
    stream.write(encode({"execute": command, "arguments": arguments}) + b"\n")
    stream.flush()
    while line := stream.readline():
        answer = decode_object(line)
        if "event" not in answer:
            assert "return" in answer, (command, arguments, answer)
            return answer["return"]
    raise AssertionError("QEMU closed QMP")


def _plain(image: DiskImage) -> DiskImage:
    """Files only: a test may not make block devices."""
    below = _plain(image.backing) if image.backing else None
    return msgspec.structs.replace(image, block_device=False, backing=below)


def _create(image: DiskImage) -> None:
    path = Path(image.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if image.backing:
        _create(image.backing)
    if image.format == "raw":
        path.touch()
        os.truncate(path, _SIZE)
    else:
        command = ["qemu-img", "create", "-q", "-f", "qcow2", str(path), "1M"]
        subprocess.run(command, check=True, timeout=TIME_LIMIT)


def _kernel() -> bytes:
    """Enough of a bzImage header for QEMU to load it (Documentation/arch/x86/boot.rst); it is never run."""
    image = bytearray(16384)
    image[0x1F1] = 4
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    image[0x206:0x208] = (0x020F).to_bytes(2, "little")
    image[0x211] = 1
    image[0x22C:0x230] = (0x7FFFFFFF).to_bytes(4, "little")
    image[0x238:0x23C] = (2047).to_bytes(4, "little")
    return bytes(image)
