"""PCIe root ports, and the bridge for conventional PCI devices. ``compile.layout`` decides who sits where."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile import virtio
from solovirt.compile.configurators import nics, sound, watchdog
from solovirt.compile.context import Context
from solovirt.compile.layout import BRIDGE, Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.reasons import default, needs

_FIRST_SLOT = 2
_PER_SLOT = 8
_FIRST_PORT_NUMBER = 16


def options(ctx: Context) -> Iterator[Option]:
    users = {place.index: name for name, place in ctx.layout.places.items() if place.bus == "pci"}
    for index in range(1, ctx.layout.ports + 1):
        yield _root_port(index, users.get(index, ""), index in ctx.layout.fixed)
    if BRIDGE in ctx.layout.places:
        why = needs("conventional PCI devices need a bridge on a PCI Express machine")
        place = ctx.layout.place(BRIDGE).props()
        yield Option(
            "-device", JsonValue((Prop("driver", "pcie-pci-bridge", why), Prop("id", BRIDGE, why), *place)), why
        )


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    others = [endpoint.pool for source in (sound.endpoints, watchdog.endpoints) for endpoint in source(ctx)]
    if nics.has_conventional(ctx) or virtio.transitional(ctx) or "legacy" in others:
        # Not always fixed: QEMU hands hotplug on a bridge to ACPI only behind a port that has it, and guests need that.
        yield Endpoint(BRIDGE, "pci", fixed=ctx.devices.disable_hotplug is True)


def _root_port(index: int, user: str, fixed: bool) -> Option:
    slot, function = divmod(index - 1, _PER_SLOT)
    why = needs(f"slot of {user}") if user else default("empty slot for a device that is added while the guest runs")
    where = default("root ports have fixed places, so that devices keep their addresses (KubeVirt's PCI topology v3)")
    address = hex(_FIRST_SLOT + slot) + (f".{function:#x}" if function else "")
    props = [
        Prop("driver", "pcie-root-port", why),
        Prop("port", _FIRST_PORT_NUMBER + index - 1, where),
        Prop("chassis", index, where),
        Prop("id", f"pci.{index}", where),
        Prop("bus", "pcie.0", where),
        Prop("addr", address, where),
    ]
    if not function:
        props.append(Prop("multifunction", True, needs("up to eight root ports share the slot")))
    if fixed:
        props.append(Prop("hotplug", False, default("its device is never unplugged, and guests should not offer to")))
    return Option("-device", JsonValue(tuple(props)), why)
