"""The Debian guest for tests: built once into the repository's cache folder, started by each kind of firmware."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from solovirt.host.debian.build import KERNEL_ARGUMENTS, DebianImage, build
from tests.support import tinyguest
from tests.support.tinyguest import Guest

FOLDER = Path(__file__).resolve().parents[2] / ".cache/debian"
PATIENCE = 900.0
"""Seconds for a whole boot in software emulation on a busy machine; alone it takes a tenth of it."""
MEMORY = "1024"
_OVMF = Path("/usr/share/OVMF")


def image() -> DebianImage:
    """The built guest; quick when nothing changed."""
    return build(FOLDER)


def kernel(debian: DebianImage) -> Sequence[str]:
    return "-kernel", str(debian.kernel), "-initrd", str(debian.initrd), "-append", KERNEL_ARGUMENTS


def efi(folder: Path, *, secure: bool) -> Sequence[str]:
    """OVMF with variables of its own in ``folder``; ``secure``: with Microsoft's keys, and SMM to protect them."""
    kind = "4M.ms" if secure else "4M"
    variables = folder / f"vars-{kind}.fd"
    shutil.copyfile(_OVMF / f"OVMF_VARS_{kind}.fd", variables)
    flash = "if=pflash,format=raw"
    protected = ("-global", "driver=cfi.pflash01,property=secure,value=on") if secure else ()
    return (
        "-drive", f"{flash},unit=0,readonly=on,file={_OVMF}/OVMF_CODE_{kind}.fd",
        "-drive", f"{flash},unit=1,file={variables}", *protected,
    )  # fmt: skip


@contextlib.contextmanager
def start(
    disk: Path, *options: str, secure: bool = False, device: str = "virtio-blk-pci", file_format: str = "qcow2"
) -> Iterator[Guest]:
    """The guest from ``disk``; what it writes there is thrown away."""
    drive = tinyguest.disk(disk, f"{device},drive=DISK,bootindex=1", file_format=file_format)
    machine = "q35,smm=on" if secure else "q35"
    with tinyguest.start(*drive, *options, memory=MEMORY, machine=machine) as guest:
        yield guest


def wait_for_agent(guest: Guest) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert guest.process.poll() is None, f"QEMU ended; the guest said:\n{guest.serial()}"
        # Seldom: what nobody reads yet waits in the channel, which holds a few dozen of them.
        guest.agent.send("guest-sync", {"id": 815})
        answer = guest.agent.receive(30)
        if answer is not None and answer.get("return") == 815:
            while guest.agent.receive(0.5) is not None:
                """Answers to earlier tries."""
            return
    raise AssertionError(f"no agent; the guest said:\n{guest.serial()}")


def wait_until(guest: Guest, script: str) -> None:
    """Until ``script`` succeeds in the guest."""
    deadline = time.monotonic() + PATIENCE
    while guest.run(f"( {script} ) > /dev/null 2>&1 && echo yes || true") != "yes":
        assert time.monotonic() < deadline, f"{script}: not in time; the guest said:\n{guest.serial()}"
        time.sleep(1)


def wait_for_text(guest: Guest, text: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while text not in guest.serial():
        assert time.monotonic() < deadline, f"not {text!r}, but:\n{guest.serial()}"
        time.sleep(0.2)
