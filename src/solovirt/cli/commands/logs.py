"""``logs``: the serial console's log or QEMU's own, whole, the end of it, or followed."""

from __future__ import annotations

import argparse
import sys

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("name", metavar="NAME")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--serial", action="store_true", help="what the guest wrote on its serial console (default)")
    which.add_argument("--qemu", action="store_true", help="QEMU's own messages")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until ^C")
    parser.add_argument("--tail", type=int, default=-1, metavar="LINES", help="only the last lines")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    path = path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, args.name, "logs")
    query = {"source": "qemu" if args.qemu else "serial"}
    if args.follow:
        query["follow"] = "true"
    if args.tail >= 0:
        query["tailLines"] = str(args.tail)
    response = context.client.open("GET", path, query, accept="text/plain")
    try:
        for chunk in response.chunks():
            sys.stdout.write(printable(chunk) if sys.stdout.isatty() else chunk.decode("utf-8", "replace"))
            sys.stdout.flush()
    finally:
        response.close()
    return 0


def printable(chunk: bytes) -> str:
    """The guest's text without what could drive the terminal: of its control characters, tabs and line ends stay."""
    text = chunk.decode("utf-8", "replace")
    return "".join(c for c in text if c in "\t\n" or (c.isprintable() and c != "\r"))
