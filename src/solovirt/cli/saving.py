"""A file that comes from the server: beside its place, then renamed into it; a link there is not followed.

What breaks off leaves nothing. Must not know what is in it.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterable

from solovirt.kit.errors import BadRequest, HostError

STDOUT = "-"


def save(path: str, chunks: Iterable[bytes], mode: int = 0o644) -> int:
    """Bytes written; ``-`` is standard output, which must be no terminal.

    Raises ``BadRequest`` as ``check_target``, ``HostError`` for what cannot be written, and what ``chunks`` raises.
    """
    if path == STDOUT:
        return _pour(chunks)
    check_target(path)
    folder, base = os.path.split(path)
    partial = os.path.join(folder, f".{base[:200]}.{secrets.token_hex(8)}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from error
    done = 0
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for data in chunks:
                done += _write(path, file.fileno(), data)
            try:
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            except OSError as error:
                raise _unwritable(path, error) from error
        os.rename(partial, path)
    except BaseException:
        os.unlink(partial)
        raise
    return done


def check_target(path: str) -> None:
    """Raises ``BadRequest`` for a directory, and for a device or a pipe: no file is put in its place."""
    if os.path.isdir(path):
        raise BadRequest(f"{path} is a directory")
    try:
        kind = os.lstat(path).st_mode
    except OSError:
        return
    if not (stat.S_ISREG(kind) or stat.S_ISLNK(kind)):
        raise BadRequest(f"{path} is no regular file")


def check_stdout() -> None:
    """Raises ``BadRequest`` when standard output is a terminal."""
    if os.isatty(sys.stdout.fileno()):
        raise BadRequest("the terminal is no place for bytes", hint="-f FILE, or a pipe behind it")


def _pour(chunks: Iterable[bytes]) -> int:
    check_stdout()
    done = 0
    for data in chunks:
        sys.stdout.buffer.write(data)
        done += len(data)
    sys.stdout.buffer.flush()
    return done


def _write(path: str, descriptor: int, data: bytes) -> int:
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError as error:
        raise _unwritable(path, error) from error
    return len(data)


def _unwritable(path: str, error: OSError) -> HostError:
    return HostError(f"{path}: {error.strerror}", reason="Unwritable")
