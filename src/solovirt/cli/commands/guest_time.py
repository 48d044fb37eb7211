"""``guest time``: the guest's clock, beside ours, and setting it."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.guestagent import ask
from solovirt.cli.output import show_object
from solovirt.kit.errors import BadRequest, GuestError

EPILOG = """examples:
  solovirt guest time hello
  solovirt guest time hello --set                          to the present
  solovirt guest time hello --set 2026-01-02T03:04:05Z
  solovirt guest time hello -o json                        nanoseconds since 1970

Setting it also sets the guest's hardware clock. A guest that runs an NTP client goes back to what that says.
"""
NANO = 1_000_000_000
NOW = "now"


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    guestagent.add_name(parser)
    parser.add_argument("--set", nargs="?", const=NOW, default="", metavar="TIME", help="now (default), or RFC 3339")
    guestagent.add_output(parser)


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if args.set:
        wanted = _wanted(args.set)
        ask(context, args.name, "guest-set-time", {"time": time.time_ns() if wanted is None else wanted}, timeout=60)
    before = time.time_ns()
    found = ask(context, args.name, "guest-get-time")
    middle = (before + time.time_ns()) // 2
    if not isinstance(found, int) or isinstance(found, bool):
        raise GuestError("guest-get-time: the reply is no time", reason="AgentBadReply")
    ahead = found - middle
    if args.output:
        show_object({"time": found, "text": _text(found), "ahead": ahead}, args.output)
    else:
        print(f"{_text(found)}  {_difference(ahead)}")
    return 0


def _wanted(text: str) -> int | None:
    """Nanoseconds since 1970; None for the present, which is looked up as late as possible."""
    from solovirt.kit import timestamps

    if text == NOW:
        return None
    try:
        moment = timestamps.parse(text)
    except ValueError as error:
        raise BadRequest(f"--set {text}: neither now nor a time", hint="write 2026-01-02T03:04:05Z") from error
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * NANO + since.microseconds * 1000


def _text(nanoseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(nanoseconds // NANO, UTC)
    except (OverflowError, OSError, ValueError):
        return f"{nanoseconds} ns since 1970"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % NANO // 1_000_000:03}Z"


def _difference(ahead: int) -> str:
    seconds = abs(ahead) / NANO
    if seconds < 0.5:
        return "as here"
    return f"{seconds:.0f} s {'ahead of' if ahead > 0 else 'behind'} here"
