"""-netdev: the host's side of an interface, made from its network's binding. One builder for each kind of binding.

Source: QEMU qapi/net.json. Knows nothing of how a network was bound.
"""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.compile.options import JsonValue, Prop, PropValue, Reason
from solovirt.compile.reasons import default, manifest, needs
from solovirt.host.model.bindings import NetworkBinding
from solovirt.kit.errors import HostError


def netdev_id(interface: str) -> str:
    """libvirt's name for it."""
    return f"hostua-{interface}"


def describe(nic: Interface, path: str, bound: NetworkBinding, network_path: str) -> JsonValue:
    """``path`` and ``network_path`` are the field paths of interface and network. Raises ``HostError`` for a binding of
    an unknown kind."""
    builder = _KINDS.get(bound.kind)
    if builder is None:
        text = f'network "{bound.name}" is bound as "{bound.kind}"'
        raise HostError(text, reason="InvalidBindings", field=network_path, hint="one of " + ", ".join(_KINDS))
    return builder(nic, path, bound, network_path)


def _user(nic: Interface, path: str, bound: NetworkBinding, network_path: str) -> JsonValue:
    addresses = _addresses(network_path)
    props = [
        Prop("type", "user", _method(nic, path)),
        Prop("id", netdev_id(nic.name), needs("name that the device refers to", f"{path}.name")),
        Prop("ipv4", True, default("the guest gets an IPv4 address by DHCP")),
        Prop("ipv6", False, default("the host may have no IPv6, and a guest that has it would wait for it")),
        Prop("net", bound.network, addresses),
        Prop("host", bound.host, addresses),
        Prop("dhcpstart", bound.dhcp_start, addresses),
        Prop("dns", bound.dns, default("answers with what the host's resolver says")),
    ]
    if bound.hostname:
        props.append(Prop("hostname", bound.hostname, manifest("hostname", "the guest's name, told by DHCP")))
    if bound.forwards:
        props.append(
            Prop("hostfwd", _forwards(bound), manifest(f"{path}.ports", "ports of the guest open on the host"))
        )
    return JsonValue(tuple(props))


def _method(nic: Interface, path: str) -> Reason:
    closed = "" if not nic.ports else "; its ports are reachable where the binding forwards them"
    if nic.masquerade is not None:
        return manifest(f"{path}.masquerade", f"the guest reaches the world through the host, inside QEMU{closed}")
    if nic.bridge is not None:
        text = f"bridge to the pod network: the same user-mode network as masquerade, as there is no pod{closed}"
        return manifest(f"{path}.bridge", text)
    return default(f"the guest reaches the world through the host, inside QEMU{closed}", path)


def _addresses(network_path: str) -> Reason:
    return default("KubeVirt's addresses for masqueraded guests", f"{network_path}.pod.vmNetworkCIDR")


def _forwards(bound: NetworkBinding) -> PropValue:
    return [
        {"str": f"{protocol.lower()}:{address}:{host_port}-:{guest_port}"}
        for protocol, address, host_port, guest_port in bound.forwards
    ]


_KINDS: dict[str, Callable[[Interface, str, NetworkBinding, str], JsonValue]] = {"user": _user}
