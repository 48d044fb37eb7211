"""``doctor``: what this host has and lacks. Needs no daemon."""

from __future__ import annotations

import argparse
import asyncio
import json
import os

from solovirt.cli.context import Context
from solovirt.cli.progress import styled
from solovirt.kit.jsontypes import JsonObject

COLOURS = {"OK": "32", "WARN": "33", "FAIL": "31"}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = "Exit code: 0 when VMs can run here, 1 when something needed for that is missing."
    parser.add_argument("-o", "--output", default="", choices=("", "json"))


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    from solovirt.host.doctor import check
    from solovirt.kit.paths import from_environment

    checks = asyncio.run(check(from_environment(), os.environ))
    if args.output == "json":
        rows: list[JsonObject] = [
            {"name": c.name, "status": c.status, "message": c.message, "neededFor": c.needed_for, "hint": c.hint}
            for c in checks
        ]
        print(json.dumps(rows, indent=2))
    else:
        width = max(len(c.name) for c in checks)
        for c in checks:
            print(f"{_paint(c.status)}  {c.name:<{width}}  {c.message}")
            if c.status != "OK" and (c.needed_for or c.hint):
                print(f"      {'':<{width}}  {'; '.join(t for t in (c.needed_for, c.hint) if t)}")
    return 1 if any(c.status == "FAIL" for c in checks) else 0


def _paint(status: str) -> str:
    text = f"{status:<4}"
    return f"\x1b[{COLOURS[status]}m{text}\x1b[0m" if styled(1) else text
