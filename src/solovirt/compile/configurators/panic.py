"""Panic devices: how a guest's kernel tells that it has died.

Source: QEMU docs/specs/pvpanic.rst; hv-crash is a CPU flag (QEMU docs/system/i386/hyperv.rst), which the cpu
configurator takes from ``cpu_flags``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from solovirt.compile.context import Context
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.problems import gather, invalid
from solovirt.compile.reasons import default, manifest, needs

PATH = "domain.devices.panicDevices"
MODELS = ("isa", "hyperv", "pvpanic")
DEFAULT_MODEL = "isa"
"""libvirt's on a PC."""
_PORT = 0x505


def options(ctx: Context) -> Iterator[Option]:
    yield from gather(partial(_options, ctx, index) for index in range(len(ctx.devices.panic_devices)))


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    for index, device in enumerate(ctx.devices.panic_devices):
        if device.model == "pvpanic":
            yield Endpoint(_name(index), "root", field=f"{PATH}[{index}]", fixed=True)


def cpu_flags(ctx: Context) -> tuple[Prop, ...]:
    """``hv-crash`` where a panic device of model hyperv is asked for: registers for the guest's last words."""
    for index, device in enumerate(ctx.devices.panic_devices):
        if device.model == "hyperv":
            return (Prop("hv-crash", True, manifest(f"{PATH}[{index}].model", "Windows tells of its crashes")),)
    return ()


def _options(ctx: Context, index: int) -> Iterator[Option]:
    asked, path = ctx.devices.panic_devices[index].model, f"{PATH}[{index}].model"
    model = asked or DEFAULT_MODEL
    if model not in MODELS:
        raise invalid(path, f'panic device model "{model}" is not supported', hint="one of " + ", ".join(MODELS))
    if [device.model or DEFAULT_MODEL for device in ctx.devices.panic_devices].index(model) != index:
        raise invalid(path, f'there is a panic device of model "{model}" already', reason="FieldValueDuplicate")
    text = "the guest's kernel tells here that it has panicked"
    why = manifest(path, text) if asked else default(f"{text}; libvirt's default on a PC", path)
    if model == "isa":
        port = default("the port that drivers know")
        props = (Prop("driver", "pvpanic", why), Prop("id", _name(index), why), Prop("ioport", _PORT, port))
        yield Option("-device", JsonValue(props), why)
    elif model == "pvpanic":
        named = needs("name of the device for QMP")
        place = ctx.layout.place(_name(index)).props()
        yield Option(
            "-device", JsonValue((Prop("driver", "pvpanic-pci", why), Prop("id", _name(index), named), *place)), why
        )


def _name(index: int) -> str:
    return f"panic{index}"
