"""-netdev and -device for network interfaces.

``backend`` and ``device`` are also what a hotplug sends as ``netdev_add`` and ``device_add``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.compile import boot, netdev, virtio
from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import Endpoint, Place, Pool
from solovirt.compile.options import JsonValue, Option, Prop, Reason
from solovirt.compile.problems import gather, invalid
from solovirt.compile.reasons import default, manifest, needs
from solovirt.kit.errors import HostError

DEFAULT_MODEL = "virtio"
EXPRESS = {"virtio": "virtio-net-pci-non-transitional", "e1000e": "e1000e", "igb": "igb"}
CONVENTIONAL = {"e1000": "e1000", "ne2k_pci": "ne2k_pci", "pcnet": "pcnet", "rtl8139": "rtl8139"}
_DRIVERS = {**EXPRESS, **CONVENTIONAL}
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.ASCII)


def options(ctx: Context) -> Iterator[Option]:
    parts = [partial(_options, ctx, index) for index in range(len(ctx.devices.interfaces))]
    yield from gather([partial(_unused_networks, ctx), *parts])


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    for index, nic in enumerate(ctx.devices.interfaces):
        pool: Pool = "bridge" if _conventional(ctx, nic) else "nic"
        yield Endpoint(device_id(nic.name), pool, field=_path(index), address=nic.pci_address)


def has_conventional(ctx: Context) -> bool:
    return any(_conventional(ctx, nic) for nic in ctx.devices.interfaces)


def backend(ctx: Context, index: int) -> JsonValue:
    """The host's side of an interface. Raises ``Invalid`` or ``HostError``."""
    nic, path = ctx.devices.interfaces[index], _path(index)
    for number, network in enumerate(ctx.spec.networks):
        if network.name == nic.name:
            bound = ctx.bindings.networks.get(nic.name)
            if bound is None:
                text = f'network "{nic.name}" has not been resolved on this host'
                raise HostError(text, reason="InvalidBindings", field=f"networks[{number}]")
            return netdev.describe(nic, path, bound, f"networks[{number}]")
    hint = "every interface needs a network of its name"
    raise invalid(f"{path}.name", f'there is no network "{nic.name}"', hint=hint)


def device(ctx: Context, index: int, place: Place) -> JsonValue:
    """The interface as the guest sees it, at ``place``. Raises ``Invalid`` or ``HostError``."""
    nic, path = ctx.devices.interfaces[index], _path(index)
    model, model_path = _model(nic), f"{path}.model"
    if model not in _DRIVERS:
        hint = "one of " + ", ".join(_DRIVERS)
        text = f'interface model "{model}" is not supported'
        raise invalid(model_path, text, reason="FieldValueNotSupported", hint=hint)
    chosen = manifest(model_path, f"interface model {model}") if nic.model else default("KubeVirt's model", model_path)
    mac, why_mac = mac_address(ctx, index)
    props = [
        virtio.driver(ctx, "virtio-net", chosen) if model == "virtio" else Prop("driver", _DRIVERS[model], chosen),
        Prop("netdev", netdev.netdev_id(nic.name), needs("the host's side of it")),
        Prop("id", device_id(nic.name), needs("ua- and the manifest's name", f"{path}.name")),
        Prop("mac", mac, why_mac),
        *place.props(),
        *boot.nic_index(ctx, nic.boot_order, path),
    ]
    if nic.boot_order is None:
        props.append(Prop("romfile", "", default("no network boot without a bootOrder", f"{path}.bootOrder")))
    return JsonValue(tuple(props))


def mac_address(ctx: Context, index: int) -> tuple[str, Reason]:
    """The manifest's address, else the pinned one. Raises ``Invalid``, or ``HostError`` when there is neither."""
    nic, path = ctx.devices.interfaces[index], f"{_path(index)}.macAddress"
    if nic.mac_address:
        address = nic.mac_address.lower().replace("-", ":")
        if not _MAC.fullmatch(address) or int(address[:2], 16) & 1:
            raise invalid(path, f'"{nic.mac_address}" is not the MAC address of an interface')
        return address, manifest(path, "MAC address")
    pinned = ctx.bindings.pins.macs.get(nic.name, "")
    if not _MAC.fullmatch(pinned):
        raise HostError(f'interface "{nic.name}" has no MAC address', reason="InvalidBindings", field=path)
    return pinned, default("made at the VM's first start and kept for its life", path)


def _options(ctx: Context, index: int) -> Iterator[Option]:
    nic, path = ctx.devices.interfaces[index], _path(index)
    why = manifest(path, f"the interface {nic.name}")
    host_side = backend(ctx, index)
    guest_side = device(ctx, index, ctx.layout.place(device_id(nic.name)))
    yield Option("-netdev", host_side, why)
    yield Option("-device", guest_side, why)


def _unused_networks(ctx: Context) -> Iterator[Option]:
    used = {nic.name for nic in ctx.devices.interfaces}
    for index, network in enumerate(ctx.spec.networks):
        if network.name not in used:
            text = f'no interface uses network "{network.name}"'
            raise invalid(f"networks[{index}].name", text, hint="add an interface of its name")
    yield from ()


def _path(index: int) -> str:
    return f"domain.devices.interfaces[{index}]"


def _conventional(ctx: Context, nic: Interface) -> bool:
    return _model(nic) in CONVENTIONAL or (_model(nic) == "virtio" and virtio.transitional(ctx))


def _model(nic: Interface) -> str:
    return nic.model or DEFAULT_MODEL
