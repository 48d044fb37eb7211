"""Where the daemon's log goes: stderr for whoever started it, and a file of bounded size."""

from __future__ import annotations

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from solovirt.kit.errors import HostError

MAX_BYTES = 4 * 1024 * 1024
KEPT = 2
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up(path: Path, level: str) -> None:
    """Replaces whatever logging was set up before. Raises HostError when the file cannot be written."""
    try:
        file = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8", delay=False)
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", reason="LogUnwritable") from error
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr), file]
    logging.basicConfig(level=level, format=FORMAT, handlers=handlers, force=True)
    # A line for each request would drown what matters.
    for noisy in ("uvicorn", "uvicorn.error", "websockets", "asyncio", "qemu"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def leave_start_log(path: Path) -> None:
    """Once the daemon serves, nobody reads ``path``, where the command that started it sent its stdout and stderr.

    It is not bounded, and all that matters stands in the daemon's own log. Another stderr (a terminal, journald) stays.
    """
    try:
        if not os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat()):
            return
    except (OSError, ValueError):
        return
    for handler in list(logging.getLogger().handlers):
        if type(handler) is logging.StreamHandler:
            logging.getLogger().removeHandler(handler)
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def tear_down() -> None:
    for handler in list(logging.getLogger().handlers):
        logging.getLogger().removeHandler(handler)
        handler.close()
