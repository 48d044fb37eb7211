"""``guest trim``: the guest gives back what its file systems do not use (fstrim)."""

from __future__ import annotations

import argparse

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.guestagent import ask, mapping, show, size, whole
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import JsonObject, get_list, get_str

EPILOG = """examples:
  solovirt guest trim hello
  solovirt guest trim hello --minimum 1Mi      leave smaller holes alone: quicker

Space comes back to the host where the disk discards, as disks do here unless their manifest says otherwise. Exit code 1
when one of the file systems could not be trimmed.
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    guestagent.add_name(parser)
    parser.add_argument("--minimum", default="", metavar="SIZE", help="only free ranges of at least this many bytes")
    parser.add_argument("--timeout", default="10m", metavar="TIME", help="how long it may take (default: 10m)")
    guestagent.add_output(parser)


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    command = "guest-fstrim"
    arguments: JsonObject = {"minimum": _minimum(args.minimum)} if args.minimum else {}
    reply = mapping(command, ask(context, args.name, command, arguments, timeout=seconds(args.timeout)))
    paths = [one for one in get_list(reply, "paths") if isinstance(one, dict)]
    rows = [(get_str(one, "path"), size(whole(one, "trimmed")), get_str(one, "error")) for one in paths]
    if not rows and not args.output:
        context.note("the guest has no file system that can be trimmed")
    else:
        show(args.output, reply, ("PATH", "TRIMMED", "ERROR"), rows)
    return 1 if any(get_str(one, "error") for one in paths) else 0


def _minimum(text: str) -> int:
    from solovirt.kit import quantity

    try:
        value = quantity.parse(text)
    except ValueError as error:
        raise BadRequest(f"--minimum {text}: {error}", hint="write 4096, 64Ki or 1Mi") from error
    if value < 0 or value >= 1 << 63:
        raise BadRequest(f"--minimum {text}: must be a size")
    return int(value)
