"""``send-keys``: keys pressed, and text typed, on the guest's keyboard."""

from __future__ import annotations

import argparse

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject

EPILOG = """examples:
  solovirt send-keys hello ctrl-alt-delete
  solovirt send-keys hello ctrl-alt-f2                 the second console of Linux
  solovirt send-keys hello alt-sysrq-t                 what all tasks do, in the kernel's log
  solovirt send-keys hello --text $'root\\n'            types root, and Enter
  solovirt send-keys hello down down ret --hold-time 100

Keys are joined by - and pressed one after the other: a z 0 9 f1 ret esc tab spc up pgdn delete kp_enter ctrl shift
alt meta_l ..., as QEMU calls them, and as people do (enter, del, win, pageup). Text is typed as on a US keyboard.
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("keys", nargs="*", metavar="KEY", help="ctrl-alt-delete, ret, ...")
    parser.add_argument("--text", default="", metavar="STRING", help="type it, after the keys; a line's end is Enter")
    parser.add_argument(
        "--hold-time", type=int, default=20, metavar="MS", help="milliseconds that each key is down (default: 20)"
    )


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if not args.keys and not args.text:
        raise BadRequest("nothing to press: give keys, or --text")
    keys: list[Json] = list(args.keys)
    body: JsonObject = {"keys": keys, "text": args.text, "holdTime": args.hold_time}
    context.client.call(
        "PUT", path_of(EXTENSIONS, "v1", VMI.plural, context.namespace, args.name, "sendkeys"), None, body
    )
    return 0
