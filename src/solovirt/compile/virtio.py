"""Names of virtio PCI devices, and where they sit: modern ones, or transitional ones that old guests know too.

``devices.useVirtioTransitional`` decides for all of a machine. A transitional device is conventional PCI (QEMU
hw/virtio/virtio-pci.c), so it sits on the bridge, as libvirt places it.
"""

from __future__ import annotations

from solovirt.compile.context import Context
from solovirt.compile.layout import Pool
from solovirt.compile.options import Prop, Reason
from solovirt.compile.reasons import manifest

PATH = "domain.devices.useVirtioTransitional"


def transitional(ctx: Context) -> bool:
    return ctx.devices.use_virtio_transitional is True


def driver(ctx: Context, name: str, why: Reason) -> Prop:
    """The ``driver`` key for ``name``, one of virtio-blk, virtio-net, virtio-scsi, virtio-serial, virtio-balloon,
    virtio-rng and vhost-vsock; ``why`` is the reason for the device itself."""
    if transitional(ctx):
        return Prop("driver", f"{name}-pci-transitional", manifest(PATH, "guests with drivers of virtio 0.9 find it"))
    return Prop("driver", f"{name}-pci-non-transitional", why)


def pool(ctx: Context) -> Pool:
    """Slots of a virtio device that is no NIC."""
    return "legacy" if transitional(ctx) else "pci"
