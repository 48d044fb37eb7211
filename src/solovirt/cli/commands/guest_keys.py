"""``guest ssh-keys ls|add|rm``: the authorized_keys of a user in the guest."""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import os
import sys
from collections.abc import Iterable

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.guestagent import ask, mapping, normal, show
from solovirt.cli.output import clean
from solovirt.kit.errors import BadRequest, HostError, NotFound
from solovirt.kit.jsontypes import Json, JsonObject, get_list

EPILOG = """examples:
  solovirt guest ssh-keys ls hello
  solovirt guest ssh-keys add hello ~/.ssh/id_ed25519.pub
  solovirt guest ssh-keys add hello 'ssh-ed25519 AAAA... me@here' --user fedora
  ssh-add -L | solovirt guest ssh-keys add hello -
  solovirt guest ssh-keys rm hello ~/.ssh/id_ed25519.pub
  solovirt guest ssh-keys rm hello SHA256:l2Rr...          as ls shows it

KEY is a file, a whole line, or - for stdin; for rm also a fingerprint or a comment. A VM whose manifest has
accessCredentials for the user gets the keys of its Secret back, and those only.
"""
LIST, ADD, REMOVE = (f"guest-ssh-{what}-authorized-keys" for what in ("get", "add", "remove"))
LIMIT = 1 << 20
COMMENT_LIMIT = 64


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("action", choices=("ls", "add", "rm"))
    guestagent.add_name(parser)
    parser.add_argument("keys", nargs="*", metavar="KEY", help="with add and rm")
    parser.add_argument("--user", default="root", metavar="USER", help="whose (default: root)")
    parser.add_argument("--reset", action="store_true", help="with add: these keys and no others")
    guestagent.add_output(parser)


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if args.reset and args.action != "add":
        raise BadRequest("--reset goes with add")
    if args.action == "ls":
        if args.keys:
            raise BadRequest("ls takes no keys")
        found = _listed(context, args)
        show(args.output, normal([*found]), ("TYPE", "FINGERPRINT", "COMMENT"), [_row(line) for line in found])
        return 0
    if not args.keys:
        raise BadRequest("no key was given", hint=f"solovirt {verb} {args.action} {args.name} FILE")
    if args.action == "add":
        lines: list[Json] = [*_lines(args.keys)]
        request: JsonObject = {"username": args.user, "keys": lines}
        if args.reset:
            request["reset"] = True
        ask(context, args.name, ADD, request)
        print(f"{len(lines)} {'key' if len(lines) == 1 else 'keys'} of {args.user} in {args.name} added")
        return 0
    going: list[Json] = [*_matching(_listed(context, args), args.keys)]
    ask(context, args.name, REMOVE, {"username": args.user, "keys": going})
    print(f"{len(going)} {'key' if len(going) == 1 else 'keys'} of {args.user} in {args.name} removed")
    return 0


def _listed(context: Context, args: argparse.Namespace) -> list[str]:
    from solovirt.cli.client import ApiError

    try:
        reply = ask(context, args.name, LIST, {"username": args.user}, raw=True)
    except ApiError as error:
        # An agent calls it a failure that there is no such file yet.
        if error.reason == "CommandFailed" and "authorized_keys" in error.message and "No such file" in error.message:
            return []
        raise
    return [line for line in get_list(mapping(LIST, reply), "keys") if isinstance(line, str)]


def _lines(words: Iterable[str]) -> list[str]:
    """The keys that files, stdin and words hold, without comments. Raises BadRequest, HostError."""
    found: list[str] = []
    for word in words:
        text = word if _is_key(word) else _read(word)
        lines = [line.strip() for line in text.splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        for line in keys:
            if "PRIVATE KEY" in line:
                raise BadRequest(f"{word} is a private key", hint="the public one ends in .pub")
            if not _is_key(line):
                raise BadRequest(f"{word}: this is no line of authorized_keys: {clean(line[:40])}")
        found += keys
    if not found:
        raise BadRequest("there is no key in what was given")
    return list(dict.fromkeys(found))


def _read(word: str) -> str:
    try:
        if word == "-":
            return sys.stdin.buffer.read(LIMIT).decode("utf-8")
        with open(word, "rb") as file:
            return file.read(LIMIT).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{word} is not text") from error
    except OSError as error:
        raise HostError(f"{word}: {os.strerror(error.errno or 0)}", hint="KEY is a file or a whole line") from error


def _is_key(line: str) -> bool:
    return bool(fingerprint(line))


def _matching(there: list[str], words: Iterable[str]) -> list[str]:
    """The guest's own lines that the words mean: it removes only what is the same to the letter."""
    found: list[str] = []
    for word in words:
        mean = [line for line in there if word in (fingerprint(line), _comment(line), line)]
        if not mean:
            prints = {fingerprint(line) for line in _lines([word])} if _is_key(word) or _is_file(word) else set()
            mean = [line for line in there if fingerprint(line) in prints]
        if not mean:
            raise NotFound(f"the guest has no key {clean(word[:80])}", hint="`ls` shows them")
        found += mean
    return list(dict.fromkeys(found))


def _is_file(word: str) -> bool:
    return word == "-" or os.path.exists(word)


def _parts(line: str) -> tuple[str, str, str]:
    """(type, key in base64, comment) of a line, whose options are skipped; empty for one that is none."""
    words = line.split()
    for position, word in enumerate(words[:-1]):
        kind, data = word, words[position + 1]
        if kind.startswith(("ssh-", "ecdsa-", "sk-")):
            try:
                blob = base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError):
                continue
            if blob[4 : 4 + int.from_bytes(blob[:4], "big")] == kind.encode():
                return kind, data, " ".join(words[position + 2 :])
    return "", "", ""


def _comment(line: str) -> str:
    return _parts(line)[2]


def fingerprint(line: str) -> str:
    """As ``ssh-keygen -l`` prints it; "" for a line without a key."""
    data = _parts(line)[1]
    if not data:
        return ""
    digest = hashlib.sha256(base64.b64decode(data)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _row(line: str) -> tuple[str, str, str]:
    kind, _, comment = _parts(line)
    return kind or "?", fingerprint(line), (comment if kind else line)[:COMMENT_LIMIT]
