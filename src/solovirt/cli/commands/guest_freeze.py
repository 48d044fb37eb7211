"""``guest freeze``, ``thaw``, ``freeze-status``: a guest's file systems stand still for a moment, a backup say."""

from __future__ import annotations

import argparse

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import VMI
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import get_str

EPILOG = """examples:
  solovirt guest freeze hello --timeout 2m
  solovirt guest thaw hello

The guest is thawed when the time is over, whatever has become of the daemon by then. Until then its agent takes no
other command, and what writes in the guest waits.
"""
SUBRESOURCES = "subresources.kubevirt.io"


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME")
    if verb.rpartition(" ")[2] == "freeze":
        parser.add_argument(
            "--timeout", default="5m", metavar="TIME", help="thaw it after (default: 5m); 0: never by itself"
        )


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    def path(group: str, subresource: str) -> str:
        return path_of(group, "v1", VMI.plural, context.namespace, args.name, subresource)

    what = verb.rpartition(" ")[2]
    if what == "thaw":
        context.client.call("PUT", path(SUBRESOURCES, "unfreeze"), None, {})
        print(f"{args.name} thawed")
        return 0
    if what == "freeze":
        timeout = seconds(args.timeout)
        if timeout and timeout < 1:
            raise BadRequest("--timeout: at least 1s is needed to freeze anything, or 0 for no end")
        context.client.call("PUT", path(SUBRESOURCES, "freeze"), None, {"unfreezeTimeout": f"{timeout:g}s"})
    status = context.client.get(path(EXTENSIONS, "freeze"))
    found, until = get_str(status, "status"), get_str(status, "until")
    if what == "freeze" and found != "frozen":
        context.note("the guest has no file system that can be frozen")
        return 0
    print(f"{args.name} {found}" + (f" until {until}" if until else ""))
    return 0
