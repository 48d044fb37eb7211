"""The channel of the guest agent."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import socket
from solovirt.compile.configurators.controllers import SERIAL_BUS
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default, needs

_CHANNEL = "charchannel0"


def options(ctx: Context) -> Iterator[Option]:
    why = default("the guest agent tells OS, users, addresses and file systems, and runs commands")
    yield socket(_CHANNEL, ctx.bindings.sockets.agent, why)
    yield Option(
        "-device",
        JsonValue(
            (
                Prop("driver", "virtserialport", why),
                Prop("bus", f"{SERIAL_BUS}.0", needs("the virtio serial bus")),
                Prop("nr", 1, default("the agent's port has had this number in libvirt for ever")),
                Prop("chardev", _CHANNEL, needs("the host's end of the channel")),
                Prop("id", "channel0", needs("name of the device for QMP: its opening says that the agent is there")),
                Prop("name", "org.qemu.guest_agent.0", needs("the name that qemu-ga looks for")),
            )
        ),
        why,
    )
