"""Controllers that other devices sit on: SCSI, the virtio serial bus, and USB when something needs it."""

from __future__ import annotations

from collections.abc import Iterator

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
        yield _controller(ctx, "qemu-xhci", USB, needs("USB devices need a controller"), extra)
    scsi = default("SCSI disks can be added while the guest runs, so the controller is always there")
    yield _controller(ctx, "virtio-scsi-pci-non-transitional", SCSI, scsi)
    serial = needs("the guest agent's channel needs it")
    yield _controller(ctx, "virtio-serial-pci-non-transitional", SERIAL_BUS, serial)


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if usb_needed(ctx):
        yield Endpoint(USB, "pci", fixed=True)
    yield Endpoint(SCSI, "pci", fixed=True)
    yield Endpoint(SERIAL_BUS, "pci", fixed=True)


def usb_needed(ctx: Context) -> bool:
    from solovirt.compile.configurators import disks, inputs

    return any(bus == "usb" for bus in (*inputs.buses(ctx), *disks.buses(ctx)))


def _controller(ctx: Context, driver: str, name: str, why: Reason, extra: tuple[Prop, ...] = ()) -> Option:
    place = ctx.layout.place(name).props()
    return Option("-device", JsonValue((Prop("driver", driver, why), Prop("id", name, why), *extra, *place)), why)
