"""The channel through which the guest reads figures about its host (``devices.downwardMetrics``).

Source: KubeVirt pkg/downwardmetrics; vhostmd's virtio protocol.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import socket
from solovirt.compile.configurators.controllers import SERIAL_BUS
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default, manifest, needs
from solovirt.kit.errors import HostError

PATH = "domain.devices.downwardMetrics"
_CHANNEL = "charchannel1"


def options(ctx: Context) -> Iterator[Option]:
    if ctx.devices.downward_metrics is None:
        return
    path = ctx.bindings.sockets.downward_metrics
    if not path:
        raise HostError("no socket for the host's metrics", reason="InvalidBindings", field=PATH)
    why = manifest(PATH, "the guest reads figures about its host")
    yield socket(_CHANNEL, path, why)
    props = (
        Prop("driver", "virtserialport", why),
        Prop("bus", f"{SERIAL_BUS}.0", needs("the virtio serial bus")),
        Prop("nr", 2, default("the port after the guest agent's")),
        Prop("chardev", _CHANNEL, needs("the host's end of the channel")),
        Prop("id", "channel1", needs("name of the device for QMP")),
        Prop("name", "org.github.vhostmd.1", needs("the name that vm-dump-metrics looks for")),
    )
    yield Option("-device", JsonValue(props), why)
