"""What this host has and lacks for running guests, one line each, with what to do about it.

Every check is independent and none fails the others. Knows nothing of the daemon. Leaves nothing on the host but the
facts that it found, which the daemon then need not find again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from solovirt.host import facts, helpers_probe, kvm, packages
from solovirt.host.model.facts import HostFacts
from solovirt.kit.errors import HostError
from solovirt.kit.paths import Paths

Status = Literal["OK", "WARN", "FAIL"]

_FIRMWARE = "bios-256k.bin"
_SUN_PATH = 107
"""Longest path of a unix socket (unix(7)), without its ending zero."""
_SAMPLE_UID = "00000000-0000-0000-0000-000000000000"
_LITTLE_SPACE = 2 << 30
_NO_SPACE = 64 << 20
_TIME_LIMIT = 20.0


class Check(NamedTuple):
    """``status``: OK, WARN (something will not work) or FAIL (nothing will); ``hint`` is what to do about it."""

    name: str
    status: Status
    message: str
    needed_for: str = ""
    hint: str = ""


async def check(paths: Paths, environ: Mapping[str, str]) -> list[Check]:
    """All checks, the most important first. Never raises for what it finds. Takes up to 2 s the first time."""
    found: list[Check] = []
    try:
        binary = facts.find_qemu(environ)
    except HostError as error:
        found.append(_failure("QEMU", error, "running guests"))
    else:
        found += await _qemu(paths, binary, environ)
    found += [
        _tool("qemu-img", "FAIL", "disks of guests", environ),
        _tool("setpriv", "FAIL", "helper programs that end with the daemon", environ),
        _tool("prlimit", "FAIL", "helper programs that read foreign images within limits", environ),
        _tool("skopeo", "WARN", "pulling containerDisk images from registries", environ),
        _tool("zstd", "WARN", "container images whose layers are compressed with zstd", environ),
        _tool(
            "setfacl",
            "FAIL" if os.geteuid() == 0 else "WARN",
            "giving a guest of a root daemon its own files only",
            environ,
        ),
        *([] if os.geteuid() == 0 else [_tool("newuidmap", "WARN", "shared directories without root", environ)]),
        _builder(environ),
        _debian_builder(environ),
        _directory("state directory", paths.state),
        _directory("runtime directory", paths.runtime),
        _socket_length(paths),
        _space(paths.state),
    ]
    return found


async def _qemu(paths: Paths, binary: Path, environ: Mapping[str, str]) -> list[Check]:
    try:
        verdict = await kvm.verdict(paths.facts, binary, environ=environ)
        host = await facts.probe(paths, environ=environ)
    except HostError as error:
        return [_failure("QEMU", error, "running guests")]
    version = ".".join(map(str, host.qemu.version))
    package = f" ({host.qemu.package})" if host.qemu.package else ""
    return [
        Check("QEMU", "OK", f"{version}{package} at {binary}"),
        acceleration(verdict),
        await _firmware(binary),
        uefi(host),
        helper(host, helpers_probe.SWTPM, "TPMs of guests"),
        helper(host, helpers_probe.VIRTIOFSD, "directories shared with guests"),
        user_network(host),
    ]


def acceleration(verdict: kvm.Verdict) -> Check:
    if verdict.accel == "kvm":
        return Check("KVM", "OK", verdict.reason)
    return Check(
        "KVM", "WARN", f"guests run in software (TCG), many times slower: {verdict.reason}", "speed", verdict.hint
    )


def uefi(host: HostFacts) -> Check:
    """Firmware for EFI guests, with and without secure boot."""
    secure = any({"secure-boot", "enrolled-keys"} <= firmware.features for firmware in host.firmware)
    plain = any("requires-smm" not in firmware.features for firmware in host.firmware)
    if secure and plain:
        return Check("UEFI firmware", "OK", f"{len(host.firmware)} kinds, with and without secure boot")
    missing = "none" if not host.firmware else "none without secure boot" if secure else "none with enrolled keys"
    return Check("UEFI firmware", "WARN", f"{missing} is described here", "EFI guests", "apt install ovmf")


def helper(host: HostFacts, name: str, needed_for: str) -> Check:
    """A program beside QEMU."""
    if name in host.helpers:
        return Check(name, "OK", host.helpers[name])
    return Check(name, "WARN", "not installed", needed_for, packages.hint(name))


def user_network(host: HostFacts) -> Check:
    if "user" in host.qemu.netdevs:
        return Check("user network", "OK", "QEMU has it")
    return Check(
        "user network",
        "FAIL",
        "this QEMU was built without slirp",
        "the pod network of guests",
        "SOLOVIRT_QEMU names another binary; Debian's qemu-system-x86 has it",
    )


async def _firmware(binary: Path) -> Check:
    """QEMU itself says where it looks for firmware (``-L help``)."""
    process = await asyncio.create_subprocess_exec(
        str(binary),
        "-L",
        "help",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(), _TIME_LIMIT)
    except TimeoutError:
        process.kill()
        await process.wait()
        told = b""
    folders = [Path(line) for line in told.decode(errors="surrogateescape").splitlines() if line.startswith("/")]
    return await asyncio.to_thread(firmware, folders)


def firmware(folders: list[Path]) -> Check:
    found = next((folder / _FIRMWARE for folder in folders if (folder / _FIRMWARE).is_file()), None)
    if found:
        return Check("firmware", "OK", f"SeaBIOS at {os.path.normpath(found)}")
    searched = ", ".join(map(str, folders)) or "no folder at all"
    return Check("firmware", "FAIL", f"no {_FIRMWARE} in {searched}", "starting guests", "apt install seabios")


def _tool(tool: str, status: Status, needed_for: str, environ: Mapping[str, str]) -> Check:
    found = packages.find(tool, environ=environ)
    if found:
        return Check(tool, "OK", str(found))
    return Check(tool, status, "not installed", needed_for, packages.hint(tool))


def _builder(environ: Mapping[str, str]) -> Check:
    needed_for = "building the image solovirt/tiny"
    missing = [tool for tool in ("apt-get", "apt-cache", "dpkg-deb") if packages.find(tool, environ=environ) is None]
    if missing:
        return Check(
            "image builder", "WARN", f"{', '.join(missing)} not installed", needed_for, "build it on a Debian host"
        )
    return Check("image builder", "OK", "apt and dpkg-deb are here")


def _debian_builder(environ: Mapping[str, str]) -> Check:
    """Nothing else needs these programs, so that a host without them lacks no more than this one image."""
    needed_for = "solovirt image build debian"
    tools = ("mmdebstrap", "mke2fs", "sfdisk", "mformat", "mmd", "mcopy", "apt-get", "dpkg-deb")
    missing = [tool for tool in tools if packages.find(tool, environ=environ) is None]
    if missing:
        lacking = " ".join(dict.fromkeys(packages.PACKAGES[tool] for tool in missing))
        message = f"{', '.join(missing)} not installed"
        return Check("Debian image builder", "WARN", message, needed_for, f"apt install {lacking}")
    return Check("Debian image builder", "OK", "mmdebstrap and the tools for its disk are here")


def _directory(name: str, path: Path) -> Check:
    """It is there and writable, or can be made."""
    nearest = _nearest(path)
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check(name, "OK", str(path) if nearest == path else f"{path} (will be made)")
    variable = "SOLOVIRT_STATE_DIR" if name.startswith("state") else "SOLOVIRT_RUNTIME_DIR"
    why = "is not writable" if nearest.is_dir() else "is not a directory"
    return Check(name, "FAIL", f"{nearest} {why}", str(path), f"set {variable} to a directory of your own")


def _socket_length(paths: Paths) -> Check:
    longest = paths.sockets(_SAMPLE_UID) / "serial.sock"
    length = len(os.fsencode(longest))
    if length <= _SUN_PATH:
        return Check("socket paths", "OK", f"{length} of {_SUN_PATH} bytes")
    return Check(
        "socket paths",
        "FAIL",
        f"sockets below {paths.runtime} need {length} bytes, the kernel takes {_SUN_PATH}",
        "talking to QEMU",
        "set SOLOVIRT_RUNTIME_DIR to a shorter path",
    )


def _space(state: Path) -> Check:
    nearest = _nearest(state)
    try:
        free = shutil.disk_usage(nearest).free
    except OSError as error:
        return Check("disk space", "WARN", f"{nearest}: {error.strerror}", "images and disks of guests")
    message = f"{free / (1 << 30):.1f} GiB free at {nearest}"
    if free >= _LITTLE_SPACE:
        return Check("disk space", "OK", message)
    status: Status = "FAIL" if free < _NO_SPACE else "WARN"
    return Check("disk space", status, message, "images and disks of guests", "solovirt image rm NAME frees the cache")


def _nearest(path: Path) -> Path:
    """``path``, or the closest folder above it that is there."""
    return next((place for place in (path, *path.parents) if place.exists()), Path("/"))


def _failure(name: str, error: HostError, needed_for: str) -> Check:
    return Check(name, "FAIL", error.message, needed_for, error.hint)
