"""gpus[] and hostDevices[]: devices of the host that the guest drives itself.

Source: QEMU hw/vfio/pci.c; KubeVirt pkg/virt-launcher/virtwrap/device/hostdevice (names, displays of vGPUs).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from solovirt.api.kubevirt.spec.devices import GPU
from solovirt.compile import vfio
from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.problems import gather
from solovirt.compile.reasons import default, manifest, needs

GPUS, DEVICES = "domain.devices.gpus", "domain.devices.hostDevices"


class _Asked(msgspec.Struct, frozen=True):
    """One entry of either list; ``asks`` is the resource that it names, or its claim."""

    name: str
    path: str
    asks: str
    prefix: str
    gpu: GPU | None = None


def options(ctx: Context) -> Iterator[Option]:
    yield from gather(partial(_options, ctx, asked) for asked in _all(ctx))


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    for asked in _all(ctx):
        usb = vfio.bound(ctx, asked.name).kind == "usb"
        yield Endpoint(_id(ctx, asked), "usb" if usb else "pci", field=asked.path)


def buses(ctx: Context) -> list[str]:
    """ "usb" for each device that needs a USB controller."""
    return [vfio.bound(ctx, asked.name).kind for asked in _all(ctx)]


def _all(ctx: Context) -> list[_Asked]:
    devices = ctx.devices
    gpus = [
        _Asked(gpu.name, f"{GPUS}[{index}]", gpu.device_name or _claim(gpu.claim_name, gpu.request_name), "gpu", gpu)
        for index, gpu in enumerate(devices.gpus)
    ]
    others = [
        _Asked(
            one.name,
            f"{DEVICES}[{index}]",
            one.device_name or _claim(one.claim_name, one.request_name),
            "hostdevice",
        )
        for index, one in enumerate(devices.host_devices)
    ]
    return [*gpus, *others]


def _claim(claim: str, request: str) -> str:
    return f"request {request} of claim {claim}"


def _id(ctx: Context, asked: _Asked) -> str:
    """KubeVirt's names for them."""
    prefix = "usb-host" if vfio.bound(ctx, asked.name).kind == "usb" else asked.prefix
    return device_id(f"{prefix}-{asked.name}")


def _options(ctx: Context, asked: _Asked) -> Iterator[Option]:
    why = manifest(asked.path, f"a device of the host: {asked.asks}")
    name = _id(ctx, asked)
    shown = _display(ctx, asked)
    props = [
        *vfio.source(ctx, asked.name, why),
        Prop("id", name, needs("KubeVirt's prefix and the manifest's name", f"{asked.path}.name")),
        *ctx.layout.place(name).props(),
        *shown,
    ]
    if any(prop.key == "ramfb" for prop in shown):
        fixed = needs("the device with ramfb cannot be unplugged")
        props = [Prop("driver", "vfio-pci-nohotplug", fixed), *(prop for prop in props if prop.key != "driver")]
    yield Option("-device", JsonValue(tuple(props)), why)


def _display(ctx: Context, asked: _Asked) -> list[Prop]:
    """A virtual GPU has a display unless the manifest says otherwise; a whole one only if asked for."""
    gpu = asked.gpu
    if gpu is None:
        return []
    mediated = vfio.bound(ctx, asked.name).kind == "mdev"
    path = f"{asked.path}.virtualGPUOptions.display"
    given = gpu.virtual_gpu_options.display if gpu.virtual_gpu_options is not None else None
    if given is None:
        if not mediated or gpu is not _first_mediated(ctx) or _display_chosen(ctx):
            return []
        first = default("the first virtual GPU shows its display when none is asked to", path)
        early = default("the display is there before the guest's driver", f"{path}.ramFB")
        return [Prop("display", "on", first), Prop("ramfb", True, early)]
    if given.enabled is False or (given.enabled is None and not mediated):
        return []
    found = [Prop("display", "on", manifest(f"{path}.enabled", "the virtual GPU's display is shown"))]
    if given.ram_fb is None or given.ram_fb.enabled is not False:
        early = manifest(f"{path}.ramFB.enabled", "the display is there before the guest's driver")
        found.append(Prop("ramfb", True, early))
    return found


def _first_mediated(ctx: Context) -> GPU | None:
    return next((gpu for gpu in ctx.devices.gpus if vfio.bound(ctx, gpu.name).kind == "mdev"), None)


def _display_chosen(ctx: Context) -> bool:
    every = [gpu.virtual_gpu_options for gpu in ctx.devices.gpus]
    return any(one is not None and one.display is not None for one in every)
