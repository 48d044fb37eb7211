"""``guest cp``: a file into the guest or out of it, through its agent: whole or not at all, and compared.

On this side, too, a file is written beside its place and renamed into it: no link at the destination is followed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import posixpath
import re
import secrets
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from solovirt.cli import saving
from solovirt.cli.client import EXTENSIONS, downloaded, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI
from solovirt.cli.progress import Progress, megabytes
from solovirt.kit.errors import BadRequest, HostError, SolovirtError
from solovirt.kit.jsontypes import JsonObject, get_int, get_str

if TYPE_CHECKING:
    from solovirt.cli.http import Response

EPILOG = """examples:
  solovirt guest cp setup.sh hello:/root/setup.sh
  solovirt guest cp --mode 0755 tool hello:/usr/local/bin/tool
  solovirt guest cp hello:/var/log/syslog .

One file at a time; a directory goes through a pipe:
  tar c folder | solovirt exec -i hello -- tar x -C /srv
"""
CHUNK = 256 * 1024
_MODE = re.compile(r"0?[0-7]{3,4}")


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="SOURCE", help="FILE, or NAME:FILE in the guest")
    parser.add_argument("destination", metavar="DESTINATION", help="NAME:FILE in the guest, or FILE")
    parser.add_argument("--mode", default="", metavar="OCTAL", help="permissions (default: those of the source)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    source, destination = _place(args.source), _place(args.destination)
    if args.mode and not _MODE.fullmatch(args.mode):
        raise BadRequest(f"--mode {args.mode}: three or four octal digits are needed, for instance 0644")
    if (source[0] == "") == (destination[0] == ""):
        raise BadRequest("one of both must be in the guest", hint="write NAME:FILE for a file in the guest NAME")
    mode = int(args.mode, 8) if args.mode else None
    if destination[0]:
        upload(context, source[1], *destination, mode)
    else:
        download(context, *source, destination[1], mode)
    return 0


def _place(text: str) -> tuple[str, str]:
    """(guest, path); the guest is "" for a file here. As for scp, ``./a:b`` is a file here."""
    name, colon, path = text.partition(":")
    if not colon or "/" in name:
        return "", text
    if not name or not path:
        raise BadRequest(f"{text!r} is neither FILE nor NAME:FILE")
    return name, path


def upload(context: Context, path: str, name: str, there: str, mode: int | None) -> None:
    """Raises HostError for a file that cannot be read, ApiError, and SolovirtError when what arrived differs."""
    if there.endswith("/"):
        there += os.path.basename(path)
    descriptor, found = _open(path, name)
    digest = hashlib.sha256()
    with os.fdopen(descriptor, "rb") as file, Progress() as progress:

        def pieces() -> Iterator[bytes]:
            done = 0
            while done < found.st_size and (data := _read(file, path, found.st_size - done)):
                digest.update(data)
                done += len(data)
                yield data
                progress.bytes(f"{path} to {name}", done, found.st_size)
            if done < found.st_size:
                raise HostError(f"{path} became shorter while it was copied", reason="FileChanged")

        bits = mode if mode is not None else found.st_mode & 0o777
        target = path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, name, "files")
        query = {"path": there, "mode": f"{bits:04o}"}
        result = _object(context.client.open("PUT", target, query, upload=pieces(), upload_size=found.st_size))
    if get_str(result, "sha256") != digest.hexdigest():
        raise SolovirtError(f"{there}: what the server got is not what was sent", reason="ChecksumMismatch")
    _tell(context, f"{path} -> {name}:{there}", get_int(result, "size"), get_str(result, "verified"))
    if result.get("inPlace") is True:
        context.note("(this guest has no shell: the file was written in place, with the permissions of its agent)")


def _open(path: str, name: str) -> tuple[int, os.stat_result]:
    """A regular file, open, and what it was then."""
    try:
        # A pipe would wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", reason="Unreadable") from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return descriptor, found
    os.close(descriptor)
    if stat.S_ISDIR(found.st_mode):
        hint = f"tar c {path} | solovirt exec -i {name} -- tar x -C DIRECTORY"
        raise BadRequest(f"{path} is a directory: files are copied one at a time", hint=hint)
    raise BadRequest(f"{path} is no regular file")


def _read(file: BinaryIO, path: str, left: int) -> bytes:
    try:
        return file.read(min(CHUNK, left))
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", reason="Unreadable") from error


def download(context: Context, name: str, path: str, here: str, mode: int | None) -> None:
    """Raises ApiError, Unavailable when the server goes away, HostError for what cannot be written here."""
    if os.path.isdir(here):
        here = os.path.join(here, posixpath.basename(path.replace("\\", "/")))
    saving.check_target(here)
    target = path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, name, "files")
    response = context.client.download(target, {"path": path})
    try:
        bits = response.headers.get("x-solovirt-mode", "")
        chosen = mode if mode is not None else int(bits, 8) & 0o777 if _MODE.fullmatch(bits) else 0o644
        size, verified = _write(response, here, chosen, f"{path} from {name}")
    except OSError as error:
        raise HostError(f"{error.filename or here}: {error.strerror}", reason="Unwritable") from error
    finally:
        response.close()
    _tell(context, f"{name}:{path} -> {here}", size, verified)


def _write(response: Response, here: str, mode: int, what: str) -> tuple[int, str]:
    """Size, and how it was compared. Raises OSError; what fails leaves nothing."""
    total, wanted = response.headers.get("x-solovirt-size", ""), response.headers.get("x-solovirt-sha256", "")
    expected = int(total) if total.isdigit() else 0
    folder, base = os.path.split(here)
    partial = os.path.join(folder, f".{base[:200]}.{secrets.token_hex(8)}.partial")
    digest, done = hashlib.sha256(), 0
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, Progress() as progress:
            for data in downloaded(response):
                file.write(data)
                digest.update(data)
                done += len(data)
                progress.bytes(what, done, expected)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        if expected and (done != expected or (wanted and digest.hexdigest() != wanted)):
            raise SolovirtError(f"{what}: the file changed while it was copied", reason="ChecksumMismatch")
        os.rename(partial, here)
    except BaseException:
        os.unlink(partial)
        raise
    if not expected:
        return done, "" if done else "size"
    return done, "sha256" if wanted else "size"


def _tell(context: Context, what: str, size: int, verified: str) -> None:
    how = {"sha256": "SHA-256 compared", "": "not compared: the guest tells no size of it"}.get(
        verified, "size compared: this guest has no sha256sum"
    )
    context.note(f"{what}: {megabytes(size) if size >= 1 << 20 else f'{size} bytes'}, {how}")


def _object(response: Response) -> JsonObject:
    import json

    value = json.loads(response.read())
    return value if isinstance(value, dict) else {}
