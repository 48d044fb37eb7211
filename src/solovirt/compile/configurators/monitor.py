"""The QMP socket through which solovirt speaks with the machine."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import socket
from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop
from solovirt.compile.reasons import needs


def options(ctx: Context) -> Iterator[Option]:
    why = needs("QMP: how solovirt starts, watches, changes and stops the machine")
    yield socket("charmonitor", ctx.bindings.sockets.qmp, why)
    yield Option(
        "-mon",
        KeyValues(
            "",
            None,
            (Prop("chardev", "charmonitor", why), Prop("id", "monitor", why), Prop("mode", "control", why)),
        ),
        why,
    )
