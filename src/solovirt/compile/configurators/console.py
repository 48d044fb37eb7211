"""The serial console."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import socket
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default, manifest, needs

PATH = "domain.devices.autoattachSerialConsole"
LOG = "domain.devices.logSerialConsole"
_CHARDEV = "charserial0"


def options(ctx: Context) -> Iterator[Option]:
    attach = ctx.devices.autoattach_serial_console
    if attach is False:
        return
    text = "the serial console, for the console command and the serial log"
    why = manifest(PATH, text) if attach else default(text, PATH)
    kept = ctx.bindings.sockets.serial_log
    if ctx.devices.log_serial_console is False:
        kept, why = "", manifest(LOG, f"{text}, which is not written here")
    yield socket(_CHARDEV, ctx.bindings.sockets.serial, why, log=kept)
    yield Option(
        "-device",
        JsonValue(
            (
                Prop("driver", "isa-serial", why),
                Prop("chardev", _CHARDEV, needs("the host's end of the line")),
                Prop("id", "serial0", needs("name of the device for QMP")),
                Prop("index", 0, needs("the first serial port: ttyS0, COM1")),
            )
        ),
        why,
    )
