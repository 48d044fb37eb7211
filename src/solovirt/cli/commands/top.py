"""``top``: what every running VM uses, now and again: CPU, memory, disks, network."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VMI
from solovirt.cli.output import clean
from solovirt.kit.errors import BadRequest, Unavailable
from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str

if TYPE_CHECKING:
    from solovirt.cli.rates import Number, Row

EPILOG = """CPU is in per cent of all CPUs of the host; with -o wide, VCPUS in per cent of one CPU each.
q or ^C leaves it, c m d n u sort by CPU, memory, disk, network, uptime.

examples:
  solovirt top                       all VMs of the namespace, every 2 s
  solovirt top web db -o wide        two of them, with their vCPUs
  solovirt top -A --sort memory
  solovirt top --once -o json        one measurement for a script
"""
SORTS = ("cpu", "memory", "disk", "network", "uptime", "name")
KEYS = {"c": "cpu", "m": "memory", "d": "disk", "n": "network", "u": "uptime"}
ONCE = 1.0
"""Seconds between the two measurements of ``--once``."""
SHORTEST = 1.0
PATIENCE = 10.0
"""Seconds that a daemon may be away: one that is replaced is back long before."""
LONG_NAME = 40


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("-o", "--output", default="", choices=("", "wide", "json"), metavar="FORMAT", help="wide|json")
    parser.add_argument("--once", action="store_true", help="one measurement, then end")
    parser.add_argument("--interval", default="2s", metavar="TIME", help="between two measurements (default: 2s)")
    parser.add_argument("--sort", default="cpu", choices=SORTS, metavar="BY", help="|".join(SORTS))
    parser.add_argument("--no-headers", action="store_true", help="rows only")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    from solovirt.cli.durations import seconds

    interval = seconds(args.interval)
    if interval < SHORTEST:
        raise BadRequest(f"--interval: at least {SHORTEST:g}s")
    _check_names(args, context)
    if args.once:
        return _once(args, context)
    # Who has stopped the daemon does not want a forgotten terminal to start it again.
    context.endpoint.autostart = False
    if args.output != "json" and sys.stdout.isatty() and sys.stdin.isatty():
        return _on_screen(args, context, interval)
    return _again_and_again(args, context, interval)


def _check_names(args: argparse.Namespace, context: Context) -> None:
    """A name that is not there is an error; one that goes later is not."""
    if args.names and context.all_namespaces:
        raise BadRequest("names are of one namespace: give names, or -A")
    for name in args.names:
        context.client.get(path_of(VMI.group, VMI.version, VMI.plural, context.namespace, name))


def measure(args: argparse.Namespace, context: Context) -> JsonObject:
    """A FiguresList of what was asked for."""
    answer = context.client.get(path_of(EXTENSIONS, "v1", "figures", context.scope))
    if not args.names:
        return answer
    wanted = set(args.names)
    items = [i for i in get_list(answer, "items") if isinstance(i, dict) and _name(i) in wanted]
    return {**answer, "items": list(items)}


def _name(item: JsonObject) -> str:
    return get_str(get_object(item, "metadata"), "name")


def _once(args: argparse.Namespace, context: Context) -> int:
    from solovirt.cli import rates

    before = measure(args, context)
    time.sleep(ONCE)
    now = measure(args, context)
    found = rates.rows(before, now, args.sort)
    if args.output == "json":
        print(json.dumps(as_json(now, found), indent=4, ensure_ascii=False))
        return 0
    if not found:
        context.note(
            "No running VMs found" + ("." if context.all_namespaces else f" in {context.namespace} namespace.")
        )
        return 0
    _print(args, context, found, header=not args.no_headers)
    _tell_errors(context, found)
    return 0


def _again_and_again(args: argparse.Namespace, context: Context, interval: float) -> int:
    """Rows below each other, or one JSON document a line: for a pipe or a file."""
    header = not args.no_headers
    for now, found in _measurements(args, context, interval):
        if args.output == "json":
            print(json.dumps(as_json(now, found), ensure_ascii=False), flush=True)
            continue
        _print(args, context, found, header=header)
        header = header and not found
    return 0


def _measurements(
    args: argparse.Namespace, context: Context, interval: float
) -> Iterator[tuple[JsonObject, list[Row]]]:
    from solovirt.cli import rates

    before, pause, since = measure(args, context), min(interval, ONCE), time.monotonic()
    while True:
        time.sleep(pause)
        pause = interval
        try:
            now = measure(args, context)
        except Unavailable:
            if time.monotonic() - since > PATIENCE:
                raise
            continue
        since = time.monotonic()
        yield now, rates.rows(before, now, args.sort)
        before = now


def _on_screen(args: argparse.Namespace, context: Context, interval: float) -> int:
    from solovirt.cli import rates, screen

    before, pause = measure(args, context), min(interval, ONCE)
    now, note, since = before, "measuring ...", time.monotonic()
    with screen.opened() as terminal:
        due = time.monotonic() + pause
        while True:
            found = rates.rows(before, now, args.sort) if now is not before else rates.rows({}, now, args.sort)
            head = [_summary(now, found), clean(note)]
            terminal.draw([*head, *_table(args, context, found)], reverse=len(head))
            key = terminal.wait(max(due - time.monotonic(), 0))
            if key in ("q", "Q", "\x03"):
                return 0
            args.sort = KEYS.get(key, args.sort)
            if key != "timeout" and time.monotonic() < due:
                continue
            due = time.monotonic() + interval
            try:
                before, now = now, measure(args, context)
                note, since = _first_error(now), time.monotonic()
            except Unavailable:
                if time.monotonic() - since > PATIENCE:
                    raise
                note = "the daemon does not answer; waiting for it"


def _summary(now: JsonObject, found: Sequence[Row]) -> str:
    host = get_object(now, "host")
    cpu, memory = sum(row.cpu or 0 for row in found), sum(row.resident or 0 for row in found)
    return (
        f"{time.strftime('%H:%M:%S')}  {len(found)} running  "
        f"CPU {cpu:.1f}% of {get_int(host, 'cpus', 1)}  "
        f"memory {size(memory)} of {size(get_int(host, 'memory'))}"
    )


def _first_error(now: JsonObject) -> str:
    items = [item for item in get_list(now, "items") if isinstance(item, dict)]
    return next((f"{_name(item)}: {error}" for item in items for error in get_list(item, "errors")), "")


def _print(args: argparse.Namespace, context: Context, found: Sequence[Row], *, header: bool) -> None:
    if found:
        print("\n".join(_table(args, context, found)[0 if header else 1 :]), flush=True)


def _tell_errors(context: Context, found: Sequence[Row]) -> None:
    for row in found:
        for error in row.errors:
            context.note(clean(f"{row.name}: {error}"))


def _table(args: argparse.Namespace, context: Context, found: Sequence[Row]) -> list[str]:
    """Header and rows; names to the left, figures to the right."""
    wide = args.output == "wide"
    head = ["NAMESPACE"] * context.all_namespaces + ["NAME", "CPU%", "MEMORY", "GUEST", "BALLOON"]
    head += ["READ/s", "WRITE/s", "RIOPS", "WIOPS", "RX/s", "TX/s", "UPTIME"] + ["DELAY%", "VCPUS"] * wide
    cells = [_cells(row, namespaces=context.all_namespaces, wide=wide) for row in found]
    widths = [max(len(row[place]) for row in [head, *cells]) for place in range(len(head))]
    names = 2 if context.all_namespaces else 1
    lines = []
    for row in [head, *cells]:
        left = [text.ljust(width) for text, width in zip(row[:names], widths, strict=False)]
        right = [text.rjust(width) for text, width in zip(row[names:], widths[names:], strict=True)]
        lines.append("  ".join([*left, *right]).rstrip())
    return lines


def _cells(row: Row, *, namespaces: bool, wide: bool) -> list[str]:
    cells = [clean(row.namespace)[:LONG_NAME]] * namespaces + [clean(row.name)[:LONG_NAME]]
    cells += [_rate(row.cpu, 1), _size(row.resident), _size(row.guest_used), _size(row.balloon)]
    cells += [_size(row.read_bytes), _size(row.write_bytes), _rate(row.reads), _rate(row.writes)]
    cells += [_size(row.rx_bytes), _size(row.tx_bytes), _age(row.uptime)]
    if wide:
        cells += [_rate(sum(row.delays), 1), ",".join(f"{percent:.0f}" for percent in row.vcpus[:64]) or "-"]
    return cells


def _rate(value: Number | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _size(value: Number | None) -> str:
    return "-" if value is None else size(value)


def size(value: Number) -> str:
    """``0``, ``512``, ``1.5Ki``, ``240Mi``: at most four digits."""
    for unit in ("", "Ki", "Mi", "Gi", "Ti"):
        if value < 1000 or unit == "Ti":
            break
        value /= 1024
    return f"{value:.0f}{unit}" if value >= 10 or not unit else f"{value:.1f}{unit}"


def _age(value: Number | None) -> str:
    if value is None:
        return "-"
    total = int(value)
    days, hours, minutes = total // 86400, total // 3600 % 24, total // 60 % 60
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{total % 60:02}s" if minutes else f"{total}s"


def as_json(now: JsonObject, found: Sequence[Row]) -> JsonObject:
    """``{host, items}``; rates are per second, sizes in bytes, ``cpu.percent`` of the whole host."""
    return {"host": get_object(now, "host"), "items": [_item(row) for row in found]}


def _item(row: Row) -> Json:
    return {
        "namespace": row.namespace,
        "name": row.name,
        "cpu": {"percent": _round(row.cpu), "vcpus": _rounded(row.vcpus), "delays": _rounded(row.delays)},
        "memory": {
            "resident": row.resident,
            "domain": row.domain,
            "balloon": row.balloon,
            "guestUsed": row.guest_used,
        },
        "disk": {
            "readBytes": _round(row.read_bytes),
            "writeBytes": _round(row.write_bytes),
            "reads": _round(row.reads),
            "writes": _round(row.writes),
        },
        "network": {"rxBytes": _round(row.rx_bytes), "txBytes": _round(row.tx_bytes)},
        "uptime": _round(row.uptime),
        "errors": list(row.errors),
    }


def _rounded(values: Sequence[float]) -> list[Json]:
    return [round(value, 1) for value in values]


def _round(value: Number | None) -> Json:
    return round(value, 1) if value is not None else None
