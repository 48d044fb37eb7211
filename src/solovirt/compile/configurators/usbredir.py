"""USB redirection: ports into which a client plugs devices of its own (``devices.clientPassthrough``).

Source: QEMU hw/usb/redirect.c; KubeVirt gives every such guest four.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import socket
from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import manifest, needs
from solovirt.kit.errors import HostError

PATH = "domain.devices.clientPassthrough"
COUNT = 4


def options(ctx: Context) -> Iterator[Option]:
    if ctx.devices.client_passthrough is None:
        return
    paths = ctx.bindings.sockets.usbredir
    if len(paths) != COUNT:
        raise HostError(f"{len(paths)} sockets for USB redirection, not {COUNT}", reason="InvalidBindings", field=PATH)
    why = manifest(PATH, "a USB port for a device of the client's")
    for number, path in enumerate(paths):
        chardev, name = f"charredir{number}", _name(number)
        yield socket(chardev, path, why)
        props = (
            Prop("driver", "usb-redir", why),
            Prop("chardev", chardev, needs("where the client connects")),
            Prop("id", name, needs("name of the device for QMP")),
            *ctx.layout.place(name).props(),
        )
        yield Option("-device", JsonValue(props), why)


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if ctx.devices.client_passthrough is not None:
        yield from (Endpoint(_name(number), "usb", field=PATH) for number in range(COUNT))


def _name(number: int) -> str:
    return f"redir{number}"
