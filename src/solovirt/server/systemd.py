"""Telling systemd how we are (sd_notify(3)), without libsystemd."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


def notify(state: str, environ: Mapping[str, str]) -> None:
    """Send ``READY=1`` and the like to NOTIFY_SOCKET, if there is one. Never fails: it is a courtesy."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(state.encode(), address)
    except OSError as error:
        log.warning("cannot notify %s: %s", environ["NOTIFY_SOCKET"], error)
