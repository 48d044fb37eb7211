"""qemu-img, with every format said explicitly, bounded in memory and time, and dead when the daemon is.

The only place that runs it. Paths are absolute or ``/proc/self/fd/N``; foreign images must have passed
``images.inspect`` before. Knows nothing of claims or VMs. Source: qemu-img(1).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from solovirt.host import access
from solovirt.host.images import files, tools
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes.templates import Template, Templates
from solovirt.kit.errors import HostError
from solovirt.kit.offload import to_thread
from solovirt.kit.text import printable

SECTOR = 512
_MEMORY = 2 << 30
_QUICK = tools.Confinement(address_space=_MEMORY, cpu_seconds=60)
_QUICK_TIMEOUT = 60.0
_CONVERT_CPU = 4 * 3600
_CONVERT_TIMEOUT = 24 * 3600.0
_THICK = {"preallocation": "falloc"}
"""All space is reserved on the host, and not written."""
_TEMPLATES = Templates()
_PERCENT = re.compile(rb"\((\d+(?:\.\d+)?)/100%\)")


def options(values: Mapping[str, str]) -> str:
    """One ``-o`` argument: commas in values are doubled, as QEMU's option parser wants it.

    Raises ``ValueError`` for a key that is no plain word, or a NUL.
    """
    for key, value in values.items():
        if not re.fullmatch(r"[a-z][a-z0-9_.-]*", key) or "\0" in value:
            raise ValueError(f"{key}={value!r} cannot be an option of qemu-img")
    return ",".join(f"{key}={value.replace(',', ',,')}" for key, value in values.items())


def whole_sectors(size: int) -> int:
    return -(-size // SECTOR) * SECTOR


async def create(
    path: Path, size: int, *, backing: DiskImage | None = None, durable: bool = True, preallocate: bool = False
) -> None:
    """A new thin qcow2 of ``size`` bytes, over ``backing`` if given; it appears whole or not at all.

    The backing file is not opened (``-u``): its format and size are known. Replaces nothing: an existing ``path``
    stays. ``durable`` says whether it must survive power loss. Raises ``HostError`` (``MissingTool``, ``StorageFull``,
    ``QemuImgFailed``).
    """
    partial = path.with_name(path.name + files.PARTIAL)
    partial.unlink(missing_ok=True)
    values = {"compat": "1.1"} | (_THICK if preallocate else {})
    unsafe: list[str] = []
    if backing is not None:
        values |= {"backing_file": backing.path, "backing_fmt": backing.format}
        unsafe = ["-u"]
    arguments = ("create", "-q", "-f", "qcow2", *unsafe, "-o", options(values))
    key = (*arguments, str(whole_sectors(size)))
    template = None if preallocate else _TEMPLATES.get(key)
    try:
        if template is None:
            await _run([*arguments, _plain(partial), key[-1]], path.parent, f"creating {path.name}")
            if not preallocate:
                await to_thread(_TEMPLATES.keep, key, partial)
        else:
            await to_thread(_write, template, partial)
        await to_thread(_publish_new, partial, path, durable)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _write(template: Template, partial: Path) -> None:
    with files.telling(partial.parent, f"creating {partial.name}"):
        template.write(partial)


def _publish_new(partial: Path, path: Path, durable: bool) -> None:
    os.chmod(partial, 0o600)
    if not path.exists():
        files.publish(partial, path, durable=durable)


async def resize(path: Path, image_format: str, size: int, *, preallocate: bool = False) -> None:
    """Grows an image that nobody has open. Raises ``HostError`` (``VolumeInUse`` while QEMU has it).

    A QEMU wrote the file last, and a guest may have taken it over: for a root daemon qemu-img runs as an unprivileged
    user that has this descriptor and nothing else.
    """
    with files.telling(path.parent, f"growing {path.name}"), _handed(Path(_plain(path)), os.O_RDWR) as descriptor:
        thick = [f"--preallocation={_THICK['preallocation']}"] if preallocate else []
        arguments = ["resize", "-q", "-f", image_format, *thick, f"/proc/self/fd/{descriptor}"]
        arguments.append(str(whole_sectors(size)))
        confinement = tools.Confinement(_QUICK.address_space, _QUICK.cpu_seconds, _helper())
        await _run(arguments, path.parent, f"growing {path.name}", confinement=confinement, pass_fds=(descriptor,))
        await to_thread(os.fsync, descriptor)


def _helper() -> tuple[int, int] | None:
    return access.HELPER if access.is_root() else None


async def convert(
    source: Path,
    source_format: str,
    target: Path,
    progress: Callable[[float], None] | None = None,
    *,
    preallocate: bool = False,
) -> None:
    """``source`` copied into the new qcow2 ``target`` (which must not exist); ``progress`` gets 0..1.

    For a root daemon qemu-img runs as an unprivileged user that has these two descriptors and nothing else.
    """
    with _handed(source, os.O_RDONLY) as reading, _handed(target, os.O_RDWR | os.O_CREAT | os.O_EXCL) as writing:
        values = {"compat": "1.1"} | (_THICK if preallocate else {})
        arguments = ["convert", "-p", "-f", source_format, "-O", "qcow2", "-o", options(values)]
        arguments += [f"/proc/self/fd/{reading}", f"/proc/self/fd/{writing}"]
        await _run(
            arguments,
            target.parent,
            f"converting to {target.name}",
            confinement=tools.Confinement(_MEMORY, _CONVERT_CPU, _helper()),
            timeout=_CONVERT_TIMEOUT,
            on_stdout=_Percent(progress),
            pass_fds=(reading, writing),
        )
        os.fsync(writing)


@contextlib.contextmanager
def _handed(path: Path, flags: int) -> Iterator[int]:
    """A descriptor whose file belongs to the helper's user meanwhile."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if access.is_root():
            os.fchown(descriptor, *access.HELPER)
        yield descriptor
    finally:
        if access.is_root():
            os.fchown(descriptor, 0, 0)
        os.close(descriptor)


class _Percent:
    """Reads ``    (12.34/100%)\\r`` as it comes."""

    def __init__(self, progress: Callable[[float], None] | None) -> None:
        self._progress = progress

    def __call__(self, data: bytes) -> None:
        found = _PERCENT.findall(data)
        if found and self._progress is not None:
            self._progress(min(1.0, float(found[-1]) / 100))


def _plain(path: Path) -> str:
    """Only an absolute path is surely a file name: "nbd:..." and "json:..." are protocols to QEMU."""
    if not path.is_absolute():
        raise ValueError(f"{path} is not absolute")
    return str(path)


async def _run(
    arguments: Sequence[str],
    directory: Path,
    what: str,
    *,
    confinement: tools.Confinement = _QUICK,
    timeout: float = _QUICK_TIMEOUT,
    on_stdout: Callable[[bytes], None] | None = None,
    pass_fds: Sequence[int] = (),
) -> None:
    done = await tools.run(
        "qemu-img",
        arguments,
        timeout=timeout,
        needed_for="disks",
        confinement=confinement,
        on_stdout=on_stdout,
        pass_fds=pass_fds,
    )
    if done.returncode == 0:
        return
    text = printable(done.stderr.strip(), 400)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        raise files.storage_full(directory, what)
    if "lock" in text and "Failed to get" in text:
        raise HostError(f"{what}: the disk is in use", reason="VolumeInUse", hint="stop the VM that has it open")
    raise HostError(f"{what}: qemu-img: {text or f'exit code {done.returncode}'}", reason="QemuImgFailed")
