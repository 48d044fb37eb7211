"""-netdev and -device for network interfaces.

``backend`` and ``device`` are also what a hotplug sends as ``netdev_add`` and ``device_add``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.compile import boot, netdev, vfio, virtio
from solovirt.compile.configurators import topology
from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import Endpoint, Place, Pool
from solovirt.compile.options import JsonValue, Option, Prop, Reason
from solovirt.compile.problems import gather, invalid
from solovirt.compile.reasons import default, manifest, needs
from solovirt.host.model.bindings import NetworkBinding
from solovirt.kit.errors import HostError

DEFAULT_MODEL = "virtio"
EXPRESS = {"virtio": "virtio-net-pci-non-transitional", "e1000e": "e1000e", "igb": "igb"}
CONVENTIONAL = {"e1000": "e1000", "ne2k_pci": "ne2k_pci", "pcnet": "pcnet", "rtl8139": "rtl8139"}
_DRIVERS = {**EXPRESS, **CONVENTIONAL}
MAX_QUEUES = 256
"""Queue pairs of a tap device (Linux MAX_TAP_QUEUES)."""
ACPI_INDEX_MAX = 16383
"""QEMU docs/specs/acpi_pci_hotplug.rst."""
_MULTIQUEUE = "domain.devices.networkInterfaceMultiqueue"
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.ASCII)


def options(ctx: Context) -> Iterator[Option]:
    parts = [partial(_options, ctx, index) for index in range(len(ctx.devices.interfaces))]
    yield from gather([partial(_unused_networks, ctx), *parts])


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    for index, nic in enumerate(ctx.devices.interfaces):
        if present(nic):
            pool: Pool = "bridge" if conventional(ctx, nic) else "nic"
            yield Endpoint(device_name(nic), pool, field=_path(index), address=nic.pci_address)


def present(nic: Interface) -> bool:
    """``state: absent`` is an interface that was unplugged and stays in the manifest until the next edit."""
    return nic.state != "absent"


def device_name(nic: Interface) -> str:
    """The QEMU id; that of an SR-IOV function is KubeVirt's own."""
    return device_id(f"sriov-{nic.name}" if nic.sriov is not None else nic.name)


def links_down(spec: VirtualMachineInstanceSpec) -> tuple[str, ...]:
    """Devices whose link is to be off before the guest's first instruction: QMP's ``set_link`` does it, no option."""
    return tuple(device_name(nic) for nic in spec.domain.devices.interfaces if nic.state == "down")


def conventional(ctx: Context, nic: Interface) -> bool:
    """Whether it sits on the bridge for conventional PCI devices."""
    if nic.sriov is not None:
        return False
    return _model(nic) in CONVENTIONAL or (_model(nic) == "virtio" and virtio.transitional(ctx))


def has_conventional(ctx: Context) -> bool:
    return any(conventional(ctx, nic) for nic in ctx.devices.interfaces if present(nic))


def backend(ctx: Context, index: int) -> JsonValue:
    """The host's side of an interface that has one (its binding is not "vfio"). Raises ``Invalid``, ``HostError``."""
    return netdev.describe(_side(ctx, index))


def _side(ctx: Context, index: int) -> netdev.Side:
    nic, path = ctx.devices.interfaces[index], _path(index)
    for number, network in enumerate(ctx.spec.networks):
        if network.name == nic.name:
            bound = ctx.bindings.networks.get(nic.name)
            if bound is None:
                text = f'network "{nic.name}" has not been resolved on this host'
                raise HostError(text, reason="InvalidBindings", field=f"networks[{number}]")
            vhost = _model(nic) == "virtio" and ctx.facts.accel == "kvm"
            return netdev.Side(nic, path, bound, f"networks[{number}]", _queues(ctx, nic), vhost)
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
    bound = ctx.bindings.networks.get(nic.name)
    props = [
        virtio.driver(ctx, "virtio-net", chosen) if model == "virtio" else Prop("driver", _DRIVERS[model], chosen),
        Prop("netdev", netdev.netdev_id(nic.name), needs("the host's side of it")),
        Prop("id", device_id(nic.name), needs("ua- and the manifest's name", f"{path}.name")),
        Prop("mac", mac, why_mac),
        *(_virtio(ctx, nic, bound) if model == "virtio" and bound is not None else ()),
        *place.props(),
        *_acpi_index(nic, path),
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
    if not present(nic):
        return
    side = _side(ctx, index)
    place = ctx.layout.place(device_name(nic))
    why = manifest(path, f"the interface {nic.name}")
    if nic.state == "down":
        why = manifest(f"{path}.state", f"the interface {nic.name}; its link is turned off before the guest runs")
    if nic.sriov is not None or side.bound.kind == netdev.VFIO:
        yield Option("-device", _function(ctx, index, place), why)
        return
    host_side = netdev.describe(side)
    guest_side = device(ctx, index, place)
    yield from netdev.chardevs(side)
    yield Option("-netdev", host_side, why)
    yield Option("-device", guest_side, why)


def _function(ctx: Context, index: int, place: Place) -> JsonValue:
    """An SR-IOV interface: the function of the card itself. The host gives it its MAC address."""
    nic, path = ctx.devices.interfaces[index], _path(index)
    why = manifest(f"{path}.sriov", "a function of a network card, which the guest drives itself")
    props = [
        *vfio.source(ctx, nic.name, why),
        Prop("id", device_name(nic), needs("ua-sriov- and the manifest's name", f"{path}.name")),
        *place.props(),
        *_acpi_index(nic, path),
        *boot.nic_index(ctx, nic.boot_order, path),
    ]
    return JsonValue(tuple(props))


def _virtio(ctx: Context, nic: Interface, bound: NetworkBinding) -> Iterator[Prop]:
    if bound.mtu:
        yield Prop("host_mtu", bound.mtu, needs("the guest sends no larger packets than the network takes"))
    pairs = _queues(ctx, nic)
    if pairs > 1 and bound.kind in netdev.QUEUE_KINDS:
        yield Prop("mq", True, manifest(_MULTIQUEUE, "one queue for each vCPU"))
        yield Prop("vectors", 2 * pairs + 2, needs("an interrupt for each direction of each queue, and two more"))


def _queues(ctx: Context, nic: Interface) -> int:
    """Queue pairs: one for each vCPU at start, as KubeVirt counts them."""
    if not ctx.devices.network_interface_multiqueue or _model(nic) != "virtio":
        return 1
    return min(topology.resolve(ctx).vcpus, MAX_QUEUES)


def _acpi_index(nic: Interface, path: str) -> Iterator[Prop]:
    field = f"{path}.acpiIndex"
    if not nic.acpi_index:
        return
    if not 0 < nic.acpi_index <= ACPI_INDEX_MAX:
        raise invalid(field, f"must be between 1 and {ACPI_INDEX_MAX}")
    text = f"the guest may name it after this number: eno{nic.acpi_index}"
    yield Prop("acpi-index", nic.acpi_index, manifest(field, text))


def _unused_networks(ctx: Context) -> Iterator[Option]:
    used = {nic.name for nic in ctx.devices.interfaces}
    for index, network in enumerate(ctx.spec.networks):
        if network.name not in used:
            text = f'no interface uses network "{network.name}"'
            raise invalid(f"networks[{index}].name", text, hint="add an interface of its name")
    yield from ()


def _path(index: int) -> str:
    return f"domain.devices.interfaces[{index}]"


def _model(nic: Interface) -> str:
    return nic.model or DEFAULT_MODEL
