"""``guest cpustats``, ``diskstats``: what the guest's kernel has counted since it booted."""

from __future__ import annotations

import argparse

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.guestagent import ask, number, objects, show, size, whole
from solovirt.kit.jsontypes import JsonObject, get_object, get_str

COMMANDS = {"cpustats": "guest-get-cpustats", "diskstats": "guest-get-diskstats"}
CPU = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guestnice")
SECTOR = 512
EXAMPLES = {
    "cpustats": """examples:
  solovirt guest cpustats hello
  solovirt guest cpustats hello -o json       milliseconds

Seconds of each CPU since the guest booted. BUSY is everything but idle and iowait. Linux guests with an agent of
QEMU 7.1 or newer.
""",
    "diskstats": """examples:
  solovirt guest diskstats hello
  solovirt guest diskstats hello -o json      all counters of the guest's /proc/diskstats

Since the guest booted. Linux guests with an agent of QEMU 7.1 or newer.
""",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EXAMPLES[verb.rpartition(" ")[2]]
    guestagent.add_name(parser)
    guestagent.add_output(parser)


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    what = verb.rpartition(" ")[2]
    command = COMMANDS[what]
    found = objects(command, ask(context, args.name, command))
    if what == "cpustats":
        found.sort(key=lambda one: whole(one, "cpu") or 0)
        header = ("CPU", "BUSY", *(name.upper() for name in CPU))
        show(args.output, [*found], header, [_cpu(one) for one in found])
    else:
        found.sort(key=lambda one: get_str(one, "name"))
        header = ("NAME", "READS", "READ", "WRITES", "WRITTEN", "DISCARDS", "FLUSHES", "IN-FLIGHT", "BUSY")
        show(args.output, [*found], header, [_disk(one) for one in found])
    return 0


def _cpu(one: JsonObject) -> tuple[str, ...]:
    spent = [whole(one, name) for name in CPU]
    total = sum(value or 0 for value in spent)
    # The kernel counts time of guests in user and nice, too.
    total -= (whole(one, "guest") or 0) + (whole(one, "guestnice") or 0)
    waiting = (whole(one, "idle") or 0) + (whole(one, "iowait") or 0)
    busy = f"{100 * (total - waiting) / total:.0f}%" if total > 0 else ""
    return number(one, "cpu"), busy, *("" if value is None else f"{value / 1000:.1f}" for value in spent)


def _disk(one: JsonObject) -> tuple[str, ...]:
    stats = get_object(one, "stats")
    busy = whole(stats, "total-ticks")
    return (
        get_str(one, "name"),
        number(stats, "read-ios"),
        _bytes(stats, "read-sectors"),
        number(stats, "write-ios"),
        _bytes(stats, "write-sectors"),
        number(stats, "discard-ios"),
        number(stats, "flush-ios"),
        number(stats, "ios-pgr"),
        "" if busy is None else f"{busy / 1000:.1f}s",
    )


def _bytes(stats: JsonObject, key: str) -> str:
    sectors = whole(stats, key)
    return size(None if sectors is None else sectors * SECTOR)
