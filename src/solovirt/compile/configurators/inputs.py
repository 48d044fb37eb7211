"""Pointer devices."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from solovirt.api.kubevirt.spec.devices import Input
from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.problems import gather, invalid
from solovirt.compile.reasons import manifest, needs

AUTO = "domain.devices.autoattachInputDevice"
_DRIVERS = {"usb": "usb-tablet", "virtio": "virtio-tablet-pci"}


def options(ctx: Context) -> Iterator[Option]:
    yield from gather(partial(_options, ctx, given, path) for given, path in _inputs(ctx))


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    for given, path in _inputs(ctx):
        yield Endpoint(device_id(given.name), "usb" if _bus(given) == "usb" else "pci", field=path)


def buses(ctx: Context) -> list[str]:
    return [_bus(given) for given, _ in _inputs(ctx)]


def _inputs(ctx: Context) -> list[tuple[Input, str]]:
    """The manifest's inputs; without any, the one of ``autoattachInputDevice``, named as KubeVirt names it."""
    given = [(one, f"domain.devices.inputs[{index}]") for index, one in enumerate(ctx.devices.inputs)]
    if not given and ctx.devices.autoattach_input_device:
        return [(Input(name="default-0", type="tablet", bus="usb"), AUTO)]
    return given


def _bus(given: Input) -> str:
    return given.bus or "usb"


def _options(ctx: Context, given: Input, path: str) -> Iterator[Option]:
    if given.type != "tablet":
        raise invalid(f"{path}.type", f'input type "{given.type}" is not supported', hint="only tablet is")
    driver = _DRIVERS.get(_bus(given))
    if driver is None:
        raise invalid(f"{path}.bus", f'input bus "{given.bus}" is not supported', hint="usb or virtio")
    why = manifest(path, "an absolute pointer, so that the VNC pointer follows the mouse")
    name = device_id(given.name)
    yield Option(
        "-device",
        JsonValue(
            (
                Prop("driver", driver, why),
                Prop("id", name, needs("ua- and the manifest's name", f"{path}.name" if path != AUTO else AUTO)),
                *ctx.layout.place(name).props(),
            )
        ),
        why,
    )
