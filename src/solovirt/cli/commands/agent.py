"""``agent``: any guest agent command, the reply as it came."""

from __future__ import annotations

import argparse
import json

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import VMI
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject

EPILOG = """examples:
  solovirt agent hello guest-get-osinfo
  solovirt agent hello guest-info
  solovirt agent hello guest-file-open '{"path": "/etc/hostname"}'
  solovirt agent hello guest-fstrim --timeout 10m

`solovirt guest` has most of them by task, as tables.
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("command", metavar="COMMAND", help="guest-ping, guest-info, guest-get-osinfo, ...")
    parser.add_argument("arguments", nargs="?", default="{}", metavar="JSON", help="the command's arguments")
    parser.add_argument("--timeout", default="10s", metavar="TIME", help="how long it may take (default: 10s)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    try:
        arguments: Json = json.loads(args.arguments)
    except ValueError as error:
        raise BadRequest(f"the arguments are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise BadRequest("the arguments are not a JSON object", hint="""for instance '{"path": "/etc/hostname"}'""")
    path = path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, args.name, "agent")
    body: JsonObject = {"command": args.command, "arguments": arguments, "timeoutSeconds": seconds(args.timeout)}
    reply = context.client.call("POST", path, None, body)
    print(json.dumps(reply, indent=2))
    return 0
