"""``qmp``: any command of QEMU's monitor, for experts."""

from __future__ import annotations

import argparse
import json

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json

EPILOG = """examples:
  solovirt qmp hello query-status
  solovirt qmp hello qom-list '{"path": "/machine"}'
  solovirt qmp hello human-monitor-command '{"command-line": "info mtree"}'
  solovirt qmp hello --yes system_wakeup

Questions (query-*, qom-list, qom-get, info ...) are free. Everything else needs --yes, and is recorded: `solovirt
events` shows it. What would leave solovirt with a wrong idea of the machine is refused. The commands are in QEMU's
manual: `solovirt qmp NAME query-commands` lists them.
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("command", metavar="COMMAND", help="query-status, qom-list, human-monitor-command, ...")
    parser.add_argument("arguments", nargs="?", default="{}", metavar="JSON", help="the command's arguments")
    parser.add_argument("-y", "--yes", action="store_true", help="the command may change the machine")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    try:
        arguments: Json = json.loads(args.arguments)
    except ValueError as error:
        raise BadRequest(f"the arguments are not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise BadRequest("the arguments are not a JSON object", hint="""for instance '{"path": "/machine"}'""")
    path = path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, args.name, "qmp")
    body: Json = {"command": args.command, "arguments": arguments, "confirm": args.yes}
    reply = context.client.call("POST", path, None, body).get("return")
    # HMP answers in text that is meant to be read.
    print(reply.rstrip("\r\n") if isinstance(reply, str) else json.dumps(reply, indent=2))
    return 0
