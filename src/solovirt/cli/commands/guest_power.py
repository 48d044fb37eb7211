"""``guest shutdown``, ``reboot``, ``suspend-ram``, ``suspend-disk``, ``suspend-hybrid``, ``wakeup``: the guest does it
itself, through its agent.
"""

from __future__ import annotations

import argparse

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.guestagent import ask, guest_path
from solovirt.kit.jsontypes import JsonObject

_SUSPEND = """
The guest needs systemd, pm-utils or the mode in its /sys/power/state; what it says against it is shown.
"""
EPILOGS = {
    "shutdown": """examples:
  solovirt guest shutdown hello
  solovirt guest shutdown hello --mode reboot

A VM with runStrategy Always starts again; `solovirt stop` is what keeps it off. Mode halt stops the guest's CPUs and
leaves the machine on.
""",
    "reboot": """examples:
  solovirt guest reboot hello

The machine stays the same; `solovirt restart` makes a new one.
""",
    "suspend-ram": "examples:\n  solovirt guest suspend-ram hello\n  solovirt guest wakeup hello\n" + _SUSPEND,
    "suspend-disk": """examples:
  solovirt guest suspend-disk hello
  solovirt start hello

The guest writes its memory to its swap and powers off; at the next start its kernel goes on from there. It needs swap
on a disk that stays, and resume= on its kernel's command line. A VM with runStrategy Always starts at once.
"""
    + _SUSPEND,
    "suspend-hybrid": """examples:
  solovirt guest suspend-hybrid hello

To RAM, with a copy on disk that counts if the machine is switched off meanwhile.
"""
    + _SUSPEND,
    "wakeup": "examples:\n  solovirt guest wakeup hello\n",
}
DONE = {
    "ram": "suspended to RAM; `solovirt guest wakeup {}` wakes it up",
    "hybrid": "suspended to RAM, with a copy on disk; `solovirt guest wakeup {}` wakes it up",
    "disk": "suspended to disk; its machine is off",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    what = verb.rpartition(" ")[2]
    parser.epilog = EPILOGS[what]
    guestagent.add_name(parser)
    if what == "shutdown":
        parser.add_argument("--mode", default="powerdown", choices=("halt", "powerdown", "reboot"))
    if what.startswith("suspend"):
        parser.add_argument("--timeout", default="60s", metavar="TIME", help="how long it may take (default: 60s)")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    what = verb.rpartition(" ")[2]
    if what == "wakeup":
        context.client.call("PUT", guest_path(context, args.name, "wakeup"), None, {})
        print(f"{args.name} is awake")
    elif what.startswith("suspend"):
        mode = what.removeprefix("suspend-")
        body: JsonObject = {"mode": mode, "timeoutSeconds": seconds(args.timeout)}
        context.client.call("PUT", guest_path(context, args.name, "suspend"), None, body)
        print(f"{args.name} is " + DONE[mode].format(args.name))
    else:
        mode = args.mode if what == "shutdown" else "reboot"
        ask(context, args.name, "guest-shutdown", {"mode": mode})
        print(f"{args.name} was told to {'reboot' if mode == 'reboot' else 'shut down'}")
    return 0
