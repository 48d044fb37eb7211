"""Controllers that other devices sit on: SCSI, the virtio serial bus, and USB when something needs it."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile import virtio
from solovirt.compile.context import Context
from solovirt.compile.layout import USB_PORTS, Endpoint
from solovirt.compile.options import JsonValue, Option, Prop, Reason
from solovirt.compile.reasons import default, needs

USB = "usb"
SCSI = "scsi0"
SERIAL_BUS = "virtio-serial0"


def options(ctx: Context) -> Iterator[Option]:
    if USB in ctx.layout.places:
        room = default("as many ports as the controller can have")
        extra = (Prop("p2", USB_PORTS, room), Prop("p3", USB_PORTS, room))
        why = needs("USB devices need a controller")
        yield _controller(ctx, Prop("driver", "qemu-xhci", why), USB, why, extra)
    if SCSI in ctx.layout.places:
        scsi = default("SCSI disks can be added while the guest runs, so the controller is always there")
        if ctx.devices.disable_hotplug:
            scsi = needs("SCSI disks need a controller")
        yield _controller(ctx, virtio.driver(ctx, "virtio-scsi", scsi), SCSI, scsi)
    serial = needs("the guest agent's channel needs it")
    yield _controller(ctx, virtio.driver(ctx, "virtio-serial", serial), SERIAL_BUS, serial)


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if usb_needed(ctx):
        yield Endpoint(USB, "pci", fixed=True)
    if _scsi_needed(ctx):
        yield Endpoint(SCSI, virtio.pool(ctx), fixed=True)
    yield Endpoint(SERIAL_BUS, virtio.pool(ctx), fixed=True)


def usb_needed(ctx: Context) -> bool:
    from solovirt.compile.configurators import disks, hostdevices, inputs

    if ctx.devices.client_passthrough is not None:
        return True
    return any(bus == "usb" for bus in (*inputs.buses(ctx), *disks.buses(ctx), *hostdevices.buses(ctx)))


def _scsi_needed(ctx: Context) -> bool:
    """Without ``disableHotplug`` always: a SCSI disk may come."""
    from solovirt.compile.configurators import disks

    return not ctx.devices.disable_hotplug or "scsi" in disks.buses(ctx)


def _controller(ctx: Context, driver: Prop, name: str, why: Reason, extra: tuple[Prop, ...] = ()) -> Option:
    place = ctx.layout.place(name).props()
    return Option("-device", JsonValue((driver, Prop("id", name, why), *extra, *place)), why)
