"""``screenshot``: what the guest's screen shows, as PNG."""

from __future__ import annotations

import argparse

from solovirt.cli import saving
from solovirt.cli.client import path_of
from solovirt.cli.commands.lifecycle import SUBRESOURCES
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI

EPILOG = """examples:
  solovirt screenshot hello                    writes hello.png
  solovirt screenshot hello -m -f now.png      moves the pointer first: a blank screen wakes up
  solovirt screenshot hello -f - | display
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-f", "--file", default="", metavar="FILE", help="where to (default: NAME.png; -: stdout)")
    parser.add_argument("-m", "--move-cursor", action="store_true", help="move the pointer first, to wake the screen")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    file = args.file or f"{args.name}.png"
    if file == saving.STDOUT:
        saving.check_stdout()
    path = path_of(SUBRESOURCES, "v1", VMI.plural, context.namespace, args.name, "vnc/screenshot")
    query = {"moveCursor": "true" if args.move_cursor else "false"}
    response = context.client.open("GET", path, query, accept="image/png, application/json")
    try:
        saving.save(file, response.chunks())
    finally:
        response.close()
    if file != saving.STDOUT:
        context.note(f"the screen of {args.name} is in {file}")
    return 0
