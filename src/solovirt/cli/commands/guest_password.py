"""``guest set-password``: of a user in the guest. It goes from a terminal, stdin or a file into the request's body, and
nowhere else: not onto a command line, into a log or an event.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.guestagent import ask
from solovirt.kit.errors import BadRequest, HostError

EPILOG = """examples:
  solovirt guest set-password hello                        asks twice
  solovirt guest set-password hello --user fedora < secret
  solovirt guest set-password hello --password-file secret
  openssl passwd -6 | solovirt guest set-password hello --crypted

The password is the first line of what is read. --crypted: it is a hash as in the guest's /etc/shadow (not on Windows).
A VM whose manifest has accessCredentials gets that password back when its Secret changes.
"""
LIMIT = 4096


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    guestagent.add_name(parser)
    parser.add_argument("--user", default="root", metavar="USER", help="whose (default: root)")
    parser.add_argument("--crypted", action="store_true", help="what is given is a hash")
    parser.add_argument("--password-file", default="", metavar="FILE", help="read it from there (-: from stdin)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    endpoint = context.endpoint
    if not endpoint.unix and endpoint.tls is None:
        raise BadRequest(f"a password is not sent in the clear to {endpoint}", hint="use the unix socket, or https")
    password = _read(args.password_file, args.user)
    encoded = base64.b64encode(password).decode("ascii")
    ask(
        context,
        args.name,
        "guest-set-user-password",
        {"username": args.user, "password": encoded, "crypted": args.crypted},
        timeout=60,
    )
    print(f"the password of {args.user} in {args.name} was changed")
    return 0


def _read(file: str, user: str) -> bytes:
    if not file and sys.stdin.isatty():
        return _prompt(user)
    try:
        with open(0 if file in ("", "-") else file, "rb", closefd=file not in ("", "-")) as stream:
            data = stream.read(LIMIT + 2)
    except OSError as error:
        raise HostError(f"{file or 'stdin'}: {os.strerror(error.errno or 0)}") from error
    line, _, rest = data.partition(b"\n")
    if rest.strip():
        raise BadRequest("there is more than one line", hint="the password is one line")
    return _checked(line.removesuffix(b"\r"))


def _prompt(user: str) -> bytes:
    import getpass

    try:
        first = getpass.getpass(f"New password of {user}: ")
        again = getpass.getpass("Once more: ")
    except EOFError as error:
        raise BadRequest("no password was given") from error
    if first != again:
        raise BadRequest("these are two different passwords")
    return _checked(first.encode("utf-8", "surrogateescape"))


def _checked(password: bytes) -> bytes:
    if not password:
        raise BadRequest("no password was given")
    if len(password) > LIMIT or b"\0" in password:
        raise BadRequest(f"a password has at most {LIMIT} bytes, and no NUL")
    return password
