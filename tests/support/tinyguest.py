"""The tiny guest for tests: built once into the repository's cache folder, and started with plain QEMU arguments."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from solovirt.host.tiny.build import KERNEL_ARGUMENTS, TinyImage, build

FOLDER = Path(__file__).resolve().parents[2] / ".cache/tiny"
PATIENCE = 180.0
"""Seconds for anything that a guest does on a busy machine."""

Value = None | bool | int | str | list["Value"] | dict[str, "Value"]


def image() -> TinyImage:
    """The built guest; quick when nothing changed."""
    return build(FOLDER)


class Wire:
    """One JSON conversation over a unix socket: QMP or the guest agent."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self._pending = b""

    def close(self) -> None:
        self._socket.close()

    def send(self, command: str, arguments: dict[str, Value] | None = None, **more: Value) -> None:
        message = {"execute": command, "arguments": arguments or {}, **more}
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float) -> dict[str, Value] | None:
        """The next message, or None when none came in time."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return None
            if not data:
                return None
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        value = json.loads(line)
        assert isinstance(value, dict)
        return value

    def call(self, command: str, **arguments: Value) -> Value:
        # Replies come, too, to what was asked before: by a daemon that was just killed, or by us in vain.
        ours = f"{command} {time.monotonic_ns()}"
        self.send(command, {key.replace("_", "-"): value for key, value in arguments.items()}, id=ours)
        while (message := self.receive(PATIENCE)) is not None:
            if message.get("id") != ours:
                continue
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise AssertionError(f"{command}: {message['error']}")
        raise AssertionError(f"{command}: no answer")


class Guest:
    """A started guest with its QMP (``qmp``) and agent (``agent``) connections."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self.process = process
        self.qmp = Wire(folder / "qmp")
        self.qmp.receive(PATIENCE)
        self.qmp.call("qmp_capabilities")
        self.agent = Wire(folder / "agent")

    def close(self) -> None:
        self.qmp.close()
        self.agent.close()

    def serial(self) -> str:
        return (self._folder / "serial").read_text(errors="replace")

    def wait_for_agent(self) -> None:
        """guest-sync until it answers, as every agent client does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.agent.send("guest-sync", {"id": 4711})
            answer = self.agent.receive(0.5)
            if answer is not None and answer.get("return") == 4711:
                while self.agent.receive(0.3) is not None:
                    """Answers to earlier tries."""
                return
        raise AssertionError(f"no agent; the guest said:\n{self.serial()}")

    def run(self, script: str) -> str:
        """A shell script's output in the guest; it must succeed."""
        started = self.agent.call("guest-exec", path="/bin/sh", arg=["-c", script], capture_output=True)
        assert isinstance(started, dict)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status = self.agent.call("guest-exec-status", pid=started["pid"])
            assert isinstance(status, dict)
            if status["exited"]:
                text = base64.b64decode(str(status.get("out-data", ""))).decode()
                assert status["exitcode"] == 0, (text, base64.b64decode(str(status.get("err-data", ""))).decode())
                return text.strip()
            time.sleep(0.05)
        raise AssertionError(f"{script}: did not end")

    def wait_until(self, script: str) -> None:
        """Until ``script`` succeeds in the guest."""
        self.run(f"for i in $(seq 1200); do ( {script} ) > /dev/null 2>&1 && exit 0; usleep 100000; done; exit 1")

    def ended(self) -> int:
        """QEMU's exit status, once the guest has switched itself off."""
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def start(*options: str, memory: str = "192", machine: str = "q35") -> Iterator[Guest]:
    """A guest under TCG with an agent channel and a serial console; gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="sv-", dir="/tmp"))
    command = [
        "qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
        "-machine", f"{machine},accel=tcg", "-cpu", "max", "-m", memory,
        "-qmp", f"unix:{folder}/qmp,server=on,wait=off", "-serial", f"file:{folder}/serial",
        "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={folder}/agent,server=on,wait=off",
        "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0", *options,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        guest = Guest(folder, process)
        try:
            yield guest
        finally:
            guest.close()
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def kernel(tiny: TinyImage, arguments: str = KERNEL_ARGUMENTS) -> Sequence[str]:
    """Options that boot the kernel directly."""
    return ("-kernel", str(tiny.kernel), "-initrd", str(tiny.initrd), "-append", arguments)


def disk(path: os.PathLike[str], *device: str, file_format: str = "qcow2", node: str = "disk") -> Sequence[str]:
    """Options for one disk; what is written to it is thrown away."""
    drive = f"file={os.fspath(path)},format={file_format},if=none,id={node},snapshot=on"
    return ("-drive", drive, *(word for name in device for word in ("-device", name.replace("DISK", node))))
