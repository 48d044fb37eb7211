"""Does KVM work here? Not: does /dev/kvm exist.

There are machines (nested, cloud, CI) where /dev/kvm opens and creates vCPUs, but every guest instruction is emulated
one by one, so that no ordinary guest boots. The only honest test is to run something. This module runs a firmware
of a few bytes which switches to protected mode, counts a register down and leaves through QEMU's ``isa-debug-exit``
device: under 0.1 s on a KVM that works, more than 10 s on one that does not, and never longer than the limit.

Knows nothing of what the guests are; it only says "kvm" or "tcg", why, and what to do about it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import struct
from collections.abc import Mapping
from pathlib import Path

import msgspec

from solovirt.host.cache import Cache, file_key
from solovirt.kit.errors import HostError
from solovirt.kit.json import JsonObject
from solovirt.kit.offload import to_thread

_log = logging.getLogger(__name__)

DEVICE = Path("/dev/kvm")
TIME_LIMIT = 1.5
"""Seconds the probe may run: with QEMU's own start it stays below two."""
ITERATIONS = 20_000_000

_MIN_CPU_SECONDS = 0.5
_EXIT_PORT = 0xF4
_EXIT_VALUE = 0x2A
_EXIT_STATUS = (_EXIT_VALUE << 1) | 1  # isa-debug-exit ends QEMU with (value << 1) | 1

_ROM_SIZE = 0x10000
_ROM_BASE = 0x100000000 - _ROM_SIZE
_CODE, _GDT, _GDTR, _RESET_VECTOR = 0xF000, 0xF100, 0xF120, 0xFFF0


class Verdict(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """``accel`` is "kvm" or "tcg"; ``reason`` says why in one sentence; ``hint`` what a person can do about it."""

    accel: str
    reason: str
    hint: str = ""


async def verdict(
    cache_dir: Path, qemu: Path, *, environ: Mapping[str, str] = os.environ, device: Path = DEVICE
) -> Verdict:
    """What to run guests with.

    ``SOLOVIRT_ACCEL`` (``kvm`` or ``tcg``) decides if it is set. The result of a run is kept in ``cache_dir`` until the
    host boots again or QEMU or the device is replaced. Raises ``HostError`` only for a wrong ``SOLOVIRT_ACCEL``.
    """
    told = await to_thread(known, cache_dir, qemu, environ=environ, device=device)
    if told is not None:
        return told
    found, certain = await _run(qemu)
    if certain:
        await to_thread(_remember, cache_dir, qemu, device, found)
    return found


def known(
    cache_dir: Path, qemu: Path, *, environ: Mapping[str, str] = os.environ, device: Path = DEVICE
) -> Verdict | None:
    """The verdict, as far as nothing has to be run for it."""
    wanted = environ.get("SOLOVIRT_ACCEL", "")
    if wanted:
        if wanted not in {"kvm", "tcg"}:
            raise HostError(
                f'SOLOVIRT_ACCEL is "{wanted}"', reason="InvalidEnvironment", hint="set it to kvm or tcg, or unset it"
            )
        return Verdict(wanted, f"SOLOVIRT_ACCEL={wanted}")
    refused = _refusal(device)
    return refused if refused is not None else _cache(cache_dir).get(_key(qemu, device))


def _cache(cache_dir: Path) -> Cache[Verdict]:
    return Cache(cache_dir / "kvm.json", Verdict)


def _remember(cache_dir: Path, qemu: Path, device: Path, found: Verdict) -> None:
    _cache(cache_dir).put(_key(qemu, device), found)


def _refusal(device: Path) -> Verdict | None:
    """The verdict when the device cannot even be opened: cheap, so asked anew each time."""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return Verdict(
            "tcg",
            f"{device} is missing",
            "enable virtualization (VT-x or AMD-V) in the firmware and load kvm_intel or kvm_amd",
        )
    except PermissionError:
        return Verdict(
            "tcg",
            f"no permission to open {device}",
            "add yourself to the group kvm: sudo usermod -aG kvm $USER, then log in again",
        )
    except OSError as error:
        return Verdict("tcg", f"{device} cannot be opened: {error.strerror}", "see dmesg | grep -i kvm")
    os.close(descriptor)
    return None


def _key(qemu: Path, device: Path) -> JsonObject:
    status = device.stat()
    number = status.st_rdev if stat.S_ISCHR(status.st_mode) else status.st_ino
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return {"boot": boot, "device": number, "qemu": file_key(qemu), "iterations": ITERATIONS}


async def _run(qemu: Path) -> tuple[Verdict, bool]:
    """The verdict of one run, and whether it may be kept."""
    import asyncio
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="solovirt-kvm-", suffix=".rom") as firmware:
        firmware.write(rom(ITERATIONS))
        firmware.flush()
        process = await asyncio.create_subprocess_exec(
            *argv(qemu, Path(firmware.name)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, errors = await asyncio.wait_for(process.communicate(), TIME_LIMIT)
        except TimeoutError:
            busy = _cpu_seconds(process.pid)
            return _too_slow(busy), busy >= _MIN_CPU_SECONDS
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    return _judge(process.returncode or 0, errors), True


def _too_slow(cpu_seconds: float) -> Verdict:
    """A probe that hardly got the CPU says nothing of KVM, so it decides for now but is not kept."""
    if cpu_seconds < _MIN_CPU_SECONDS:
        reason = f"this machine is too busy to try KVM: the probe got {cpu_seconds:.1f} s of CPU in {TIME_LIMIT} s"
        return Verdict("tcg", reason, "start the daemon again when the machine is less busy, or set SOLOVIRT_ACCEL=kvm")
    return Verdict(
        "tcg",
        f"the KVM probe did not finish within {TIME_LIMIT} s: /dev/kvm opens, but guests do not run on it",
        "use a machine with working (nested) virtualization; SOLOVIRT_ACCEL=kvm overrides this",
    )


def _judge(status: int, errors: bytes) -> Verdict:
    if status == _EXIT_STATUS:
        return Verdict("kvm", "the KVM probe ran")
    told = errors[-4096:].decode(errors="replace").strip().splitlines()
    detail = told[-1] if told else f"QEMU ended with status {status}"
    return Verdict("tcg", f"the KVM probe failed: {detail}", "see dmesg | grep -i kvm")


def _cpu_seconds(pid: int) -> float:
    """CPU time of the process so far; guest code counts as user time (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def argv(qemu: Path, firmware: Path, accel: str = "kvm") -> list[str]:
    """QEMU's command line for the probe. ``pc``: it takes any 64 KiB firmware and starts at its last 16 bytes."""
    return [
        str(qemu),
        "-machine", f"pc,accel={accel}",
        "-nodefaults",
        "-no-user-config",
        "-display", "none",
        "-no-reboot",
        "-m", "16",
        "-bios", str(firmware),
        "-device", f"isa-debug-exit,iobase={_EXIT_PORT:#x},iosize=1",
    ]  # fmt: skip


def rom(iterations: int) -> bytes:
    """A 64 KiB firmware that counts ``iterations`` down in 32-bit protected mode, then ends QEMU.

    Protected mode, because ordinary guests spend no time in real mode, and old CPUs emulate that on a KVM that works.
    """
    flat_code_segment = struct.pack("<QQ", 0, 0x00CF9B000000FFFF)
    to_protected_mode = (
        b"\xfa"  # cli
        + b"\x66\x2e\x0f\x01\x16"
        + struct.pack("<H", _GDTR)  # lgdt cs:[gdtr]
        + b"\x0f\x20\xc0\x0c\x01\x0f\x22\xc0"  # mov eax, cr0; or al, 1; mov cr0, eax
    )
    next_address = _ROM_BASE + _CODE + len(to_protected_mode) + 8
    code = (
        to_protected_mode
        + b"\x66\xea"
        + struct.pack("<IH", next_address, 8)  # ljmp 8:next
        + b"\xb9"
        + struct.pack("<I", iterations)  # mov ecx, iterations
        + b"\x49\x75\xfd"  # dec ecx; jnz -1
        + bytes((0xB0, _EXIT_VALUE, 0xE6, _EXIT_PORT))  # mov al, value; out port, al
        + b"\xf4\xeb\xfd"  # hlt; jmp to it
    )
    image = bytearray(b"\xf4" * _ROM_SIZE)
    _place(image, _CODE, code)
    _place(image, _GDT, flat_code_segment)
    _place(image, _GDTR, struct.pack("<HI", len(flat_code_segment) - 1, _ROM_BASE + _GDT))
    _place(image, _RESET_VECTOR, b"\xe9" + struct.pack("<h", _CODE - (_RESET_VECTOR + 3)))  # jmp code
    return bytes(image)


def _place(image: bytearray, offset: int, part: bytes) -> None:
    image[offset : offset + len(part)] = part
