"""-netdev: the host's side of an interface, made from its network's binding. One builder for each kind of binding.

Source: QEMU qapi/net.json. Knows nothing of how a network was bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.compile.chardev import check_path
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop, PropValue, Reason
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.host.model.bindings import NetworkBinding
from solovirt.kit.errors import HostError

VFIO = "vfio"
"""The kind of binding that has no host's side: the guest drives the card itself."""
QUEUE_KINDS = ("tap", "passt")
"""Kinds that can have several queues."""
_MULTIQUEUE = "domain.devices.networkInterfaceMultiqueue"


class Side(msgspec.Struct, frozen=True):
    """What a builder gets. ``path`` and ``network_path`` are the field paths of interface and network; ``queues`` is
    the number of queue pairs; ``vhost`` says that the host's kernel moves the packets."""

    nic: Interface
    path: str
    bound: NetworkBinding
    network_path: str
    queues: int = 1
    vhost: bool = False


def netdev_id(interface: str) -> str:
    """libvirt's name for it."""
    return f"hostua-{interface}"


def chardev_id(interface: str) -> str:
    """Of the connection to passt."""
    return f"charnet-{interface}"


def describe(side: Side) -> JsonValue:
    """Raises ``HostError`` for a binding of an unknown kind."""
    builder = _KINDS.get(side.bound.kind)
    if builder is None:
        text = f'network "{side.bound.name}" is bound as "{side.bound.kind}"'
        hint = "one of " + ", ".join([*_KINDS, VFIO])
        raise HostError(text, reason="InvalidBindings", field=side.network_path, hint=hint)
    return builder(side)


def chardevs(side: Side) -> Iterator[Option]:
    """What must stand before the -netdev: passt's socket, to which QEMU connects."""
    if side.bound.kind != "passt":
        return
    check_path(side.bound.socket)
    why = _method(side)
    props = (
        Prop("id", chardev_id(side.nic.name), needs("name that the host's side refers to")),
        Prop("path", side.bound.socket, host("passt listens on it, in the VM's runtime directory")),
    )
    yield Option("-chardev", KeyValues("socket", default("a unix socket"), props), why)


def _user(side: Side) -> JsonValue:
    bound, path = side.bound, side.path
    addresses = _addresses(side.network_path, "vmNetworkCIDR")
    props = [
        Prop("type", "user", _method(side)),
        Prop("id", netdev_id(side.nic.name), needs("name that the device refers to", f"{path}.name")),
        Prop("ipv4", True, default("the guest gets an IPv4 address by DHCP")),
        *_user6(side),
        Prop("net", bound.network, addresses),
        Prop("host", bound.host, addresses),
        Prop("dhcpstart", bound.dhcp_start, addresses),
        Prop("dns", bound.dns, default("answers with what the host's resolver says")),
    ]
    if bound.hostname:
        props.append(Prop("hostname", bound.hostname, manifest("hostname", "the guest's name, told by DHCP")))
    if bound.domain:
        props.append(Prop("domainname", bound.domain, manifest("subdomain", "the guest's domain, told by DHCP")))
    if bound.search:
        why = manifest("dnsConfig.searches", "domains that the guest looks names up in, told by DHCP")
        props.append(Prop("dnssearch", [{"str": one} for one in bound.search], why))
    props += _dhcp(side)
    if bound.forwards:
        why = manifest(f"{path}.ports", "ports of the guest open on the host")
        props.append(Prop("hostfwd", _forwards(bound), why))
    return JsonValue(tuple(props))


def _user6(side: Side) -> list[Prop]:
    bound = side.bound
    if not bound.network6:
        why = default("the host may have no IPv6, and a guest that has it would wait for it")
        return [Prop("ipv6", False, why)]
    why = _addresses(side.network_path, "vmIPv6NetworkCIDR")
    prefix, _, length = bound.network6.partition("/")
    return [
        Prop("ipv6", True, why),
        Prop("ipv6-prefix", prefix, why),
        Prop("ipv6-prefixlen", int(length), why),
        Prop("ipv6-host", bound.host6, why),
        Prop("ipv6-dns", bound.dns6, default("answers with what the host's resolver says")),
    ]


def _dhcp(side: Side) -> list[Prop]:
    """What QEMU's DHCP server can tell; it has no NTP servers and no private options."""
    asked = side.nic.dhcp_options
    if asked is None:
        return []
    path = f"{side.path}.dhcpOptions"
    props = []
    if asked.boot_file_name:
        props.append(Prop("bootfile", asked.boot_file_name, manifest(f"{path}.bootFileName", "DHCP option 67")))
    if asked.tftp_server_name:
        why = manifest(f"{path}.tftpServerName", "DHCP option 66")
        props.append(Prop("tftp-server-name", asked.tftp_server_name, why))
    return props


def _tap(side: Side) -> JsonValue:
    bound = side.bound
    props = [
        Prop("type", "tap", _method(side)),
        Prop("id", netdev_id(side.nic.name), needs("name that the device refers to", f"{side.path}.name")),
    ]
    if bound.fd is not None:
        props.append(Prop("fd", str(bound.fd), host("a tap device that QEMU is started with")))
    else:
        ready = needs("the device is made and connected before QEMU starts")
        props += [
            Prop("ifname", bound.interface, host("the tap device on the host", side.network_path)),
            Prop("script", "no", ready),
            Prop("downscript", "no", ready),
        ]
    if side.vhost:
        props.append(Prop("vhost", True, default("the host's kernel moves the packets, not QEMU")))
    return JsonValue((*props, *_queues(side)))


def _passt(side: Side) -> JsonValue:
    return JsonValue(
        (
            Prop("type", "vhost-user", _method(side)),
            Prop("id", netdev_id(side.nic.name), needs("name that the device refers to", f"{side.path}.name")),
            Prop("chardev", chardev_id(side.nic.name), needs("the connection to passt")),
            *_queues(side),
        )
    )


def _queues(side: Side) -> list[Prop]:
    if side.queues < 2:
        return []
    return [Prop("queues", side.queues, manifest(_MULTIQUEUE, "one queue for each vCPU"))]


def _method(side: Side) -> Reason:
    nic, path, bound = side.nic, side.path, side.bound
    notes = _notes(side)
    lacks = f". Not startable here: {bound.lacks}" if bound.lacks else ""
    if nic.passt_binding is not None:
        return manifest(f"{path}.passtBinding", f"passt, outside of QEMU, moves the guest's connections{notes}{lacks}")
    if nic.binding is not None:
        return manifest(f"{path}.binding.name", f"a tap device that the plugin makes{notes}{lacks}")
    if bound.kind == "tap":
        field = f"{path}.bridge" if nic.bridge is not None else path
        return manifest(field, f"a tap device of the host, connected to the network{notes}{lacks}")
    if nic.masquerade is not None:
        return manifest(f"{path}.masquerade", f"the guest reaches the world through the host, inside QEMU{notes}")
    if nic.bridge is not None:
        text = f"bridge to the pod network: the same user-mode network as masquerade, as there is no pod{notes}"
        return manifest(f"{path}.bridge", text)
    return default(f"the guest reaches the world through the host, inside QEMU{notes}", path)


def _notes(side: Side) -> str:
    """What the manifest asks for and this kind of network does not do."""
    nic = side.nic
    found = ""
    if nic.ports or nic.port_ranges:
        found += "; its ports are reachable where the binding forwards them"
    options = nic.dhcp_options
    if side.bound.kind == "user" and options is not None and (options.ntp_servers or options.private_options):
        found += "; NTP servers and private DHCP options are not told, as QEMU's DHCP server has none"
    if side.bound.kind == "user" and side.queues > 1:
        found += "; one queue only, as QEMU's user network has no more"
    return found


def _addresses(network_path: str, field: str) -> Reason:
    return default("KubeVirt's addresses for masqueraded guests", f"{network_path}.pod.{field}")


def _forwards(bound: NetworkBinding) -> PropValue:
    return [
        {"str": f"{protocol.lower()}:{address}:{host_port}-:{guest_port}"}
        for protocol, address, host_port, guest_port in bound.forwards
    ]


_KINDS: dict[str, Callable[[Side], JsonValue]] = {"user": _user, "tap": _tap, "passt": _passt}
