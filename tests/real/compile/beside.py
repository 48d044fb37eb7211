"""What golden machines need beside disks, made real: firmware variables, ACPI tables, swtpm, virtiofsd.

The programs are started with the product's own command lines, and end with the first QEMU that they serve.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from solovirt.controllers.vmi import programs
from solovirt.host import facts, helpers_probe
from solovirt.host.equipment import Equipment
from solovirt.host.model.bindings import Bindings, DiskImage, FirmwareBinding
from solovirt.hypervisor.helpers import FD
from solovirt.hypervisor.model import Helper
from tests.golden.cases import Case

OVMF = Path("/usr/share/OVMF")


def made(case: Case, bindings: Bindings, base: Path) -> Bindings:
    """Firmware and tables as files. Firmware of another host is replaced by this one's."""
    if bindings.firmware is not None:
        bindings = msgspec.structs.replace(bindings, firmware=_firmware(bindings.firmware))
    tables = bindings.acpi_tables
    for path in (tables.slic, tables.msdm) if tables else ():
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(table(Path(path).stem.upper().encode()))
    for shared in bindings.filesystems.values():
        Path(shared.directory).mkdir(parents=True, exist_ok=True)
    return bindings


@contextlib.contextmanager
def served(case: Case, bindings: Bindings, base: Path) -> Iterator[None]:
    """With the programs that QEMU connects to."""
    tpm = case.spec.domain.devices.tpm
    state = None
    if tpm is not None and tpm.enabled is not False:
        state = base / "tpm"
        state.mkdir()
    equipment = Equipment(filesystems=bindings.filesystems, tpm_state=state)
    here = msgspec.structs.replace(facts.load("qemu-7.2"), helpers=helpers_probe.probe(os.environ))
    helpers = programs.helpers(equipment, here, bindings.sockets.tpm)
    with contextlib.ExitStack() as stack:
        for helper in helpers:
            stack.enter_context(running(helper))
        yield


@contextlib.contextmanager
def running(helper: Helper) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(helper.socket)
        listener.listen(1)
        number = listener.fileno()
        words = [word.replace(FD, str(number)) for word in helper.argv]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(number,))
    try:
        yield
    finally:
        process.kill()
        process.wait()


def table(signature: bytes) -> bytes:
    """A whole ACPI table (ACPI specification 6.4, 5.2.6) that says nothing."""
    body = bytes(8)
    head = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), 1, 0, b"SOLOVR", b"TEST    ", 1, b"TEST", 1)
    return head + body


def _firmware(bound: FirmwareBinding) -> FirmwareBinding:
    secure = ".ms" if bound.secure else ""
    code = msgspec.structs.replace(bound.code, path=str(OVMF / f"OVMF_CODE_4M{secure}.fd"), format="raw")
    if bound.variables is None:
        return msgspec.structs.replace(bound, code=code)
    target = Path(bound.variables.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(OVMF / f"OVMF_VARS_4M{secure}.fd", target)
    return msgspec.structs.replace(bound, code=code, variables=DiskImage(path=str(target), format="raw"))
