"""``exec``: a command inside the guest, through its agent; its exit code and both its streams are ours."""

from __future__ import annotations

import argparse
import base64
import sys

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import VMI
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import JsonObject, get_int, get_str

EPILOG = """examples:
  solovirt exec hello -- uname -a
  solovirt exec hello -- /bin/sh -c 'echo out; echo err >&2; exit 3'
  echo text | solovirt exec -i hello -- cat
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.usage = "solovirt exec [options] NAME -- COMMAND [ARGUMENT ...]"
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-i", "--stdin", action="store_true", help="send our stdin (all of it) to the command")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="environment of the command")
    parser.add_argument("--timeout", default="60s", metavar="TIME", help="give up after (default: 60s)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    command: list[str] = args.after_dashes
    if not command:
        raise BadRequest("no command was given", hint="solovirt exec NAME -- COMMAND [ARGUMENT ...]")
    body: JsonObject = {"command": list(command), "timeoutSeconds": seconds(args.timeout)}
    if args.env:
        body["env"] = list(args.env)
    if args.stdin:
        body["input"] = base64.b64encode(sys.stdin.buffer.read()).decode()
    path = path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, args.name, "exec")
    result = context.client.call("POST", path, None, body)
    for key, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        stream.buffer.write(base64.b64decode(get_str(result, key)))
        stream.flush()
        if result.get(f"{key}Truncated"):
            context.note(f"\n({key} was cut: the guest agent keeps only so much of it)")
    if number := get_int(result, "signal"):
        context.note(f"the command was ended by signal {number}")
        return 128 + number
    return get_int(result, "exitCode")
