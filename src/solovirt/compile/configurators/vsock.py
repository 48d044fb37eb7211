"""vsock: sockets between host and guest without a network (``devices.autoattachVSOCK``).

Source: QEMU hw/virtio/vhost-vsock-pci.c. The guest's number is given by the host and unique on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import host, manifest, needs
from solovirt.kit.errors import HostError

PATH = "domain.devices.autoattachVSOCK"
FIRST_CID = 3
"""0 to 2 are the hypervisor, the local host and the host (linux/vm_sockets.h)."""
_LAST_CID = 2**32 - 2
_DEVICE = "vsock0"


def options(ctx: Context) -> Iterator[Option]:
    if not ctx.devices.autoattach_vsock:
        return
    cid = ctx.bindings.vsock_cid
    if not FIRST_CID <= cid <= _LAST_CID:
        raise HostError(f"no vsock number was given to this guest ({cid})", reason="InvalidBindings", field=PATH)
    why = manifest(PATH, "sockets between host and guest")
    modern = manifest(PATH, "vsock exists as a modern virtio device only")
    props = (
        Prop("driver", "vhost-vsock-pci-non-transitional", modern),
        Prop("id", _DEVICE, needs("name of the device for QMP")),
        Prop("guest-cid", cid, host("the guest's number, unique on this host; status.VSOCKCID tells it")),
        *ctx.layout.place(_DEVICE).props(),
    )
    yield Option("-device", JsonValue(props), why)


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if ctx.devices.autoattach_vsock:
        yield Endpoint(_DEVICE, "pci", fixed=True)
