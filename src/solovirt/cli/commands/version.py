"""``version``: ours, and the server's when there is one."""

from __future__ import annotations

import argparse
import json

from solovirt import __version__
from solovirt.cli.context import Context
from solovirt.kit.errors import Unavailable
from solovirt.kit.jsontypes import JsonObject, get_str


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("--client", action="store_true", help="only ours; does not start the daemon")
    parser.add_argument("-o", "--output", default="", choices=("", "yaml", "json"))


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    found: JsonObject = {"clientVersion": {"gitVersion": f"v{__version__}"}}
    if not args.client:
        try:
            found["serverVersion"] = context.client.get("/version")
        except Unavailable as error:
            context.note(str(error))
    if args.output == "json":
        print(json.dumps(found, indent=2))
    elif args.output == "yaml":
        from solovirt.cli.output import show_object

        show_object(found, "yaml")
    else:
        for key, title in (("clientVersion", "Client Version"), ("serverVersion", "Server Version")):
            if isinstance(version := found.get(key), dict):
                print(f"{title}: {get_str(version, 'gitVersion')}")
    return 0 if args.client or "serverVersion" in found else 1
