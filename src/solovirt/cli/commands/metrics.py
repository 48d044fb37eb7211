"""``metrics``: the daemon's Prometheus metrics, for a scraper that cannot open a unix socket."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from solovirt.cli.context import Context
from solovirt.kit.errors import HostError

EPILOG = """examples:
  solovirt metrics
  solovirt metrics -f /var/lib/prometheus/node-exporter/solovirt.prom     for node_exporter's textfile collector
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("-f", "--file", default="", metavar="FILE", help="write there, whole or not at all")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    response = context.client.open("GET", "/metrics", accept="text/plain")
    data = response.read()
    response.close()
    if args.file:
        _write(Path(args.file), data)
    else:
        sys.stdout.write(data.decode("utf-8", "replace"))
    return 0


def _write(path: Path, data: bytes) -> None:
    """A reader finds the old file or the new one; others than its owner may read it, as collectors must."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        with open(descriptor, "wb") as file:
            file.write(data)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise HostError(f"{path} cannot be written: {error.strerror}") from error
