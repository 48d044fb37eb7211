"""Networks of a VMI resolved for this host. Pure: looks at nothing but the object.

The pod network is QEMU's user network with the addresses that KubeVirt's pods have: the guest sees 10.0.2.2/24, gateway
10.0.2.1 and a resolver at 10.0.2.3, or the same places in ``vmNetworkCIDR``. Every other attachment resolves to what
its command line would name, with a sentence about what it lacks here; ``require`` turns that into an error.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping

import msgspec

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Interface
from solovirt.api.kubevirt.spec.sources import Network
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.host.model.bindings import NetworkBinding
from solovirt.kit.errors import Cause, HostError, Invalid

DEFAULT_CIDR = "10.0.2.0/24"
"""KubeVirt's default of ``networks[].pod.vmNetworkCIDR``."""

_WIDEST, _NARROWEST = 8, 29
_WIDEST6, _NARROWEST6 = 8, 120
_USE_MASQUERADE = "use masquerade with the pod network"


def hostname(vmi: VirtualMachineInstance) -> str:
    """``spec.hostname``, else the VMI's name up to its first dot, as KubeVirt does; at most 63 characters."""
    name = vmi.spec.hostname or vmi.metadata.name
    return name.partition(".")[0][:63].rstrip("-")


def bind(vmi: VirtualMachineInstance, *, prefix: str = "spec", directory: str = "") -> dict[str, NetworkBinding]:
    """One binding for each network, by name. ``directory`` is where the VM's sockets are.

    Raises ``Invalid`` with a cause for each wrong address range.
    """
    owner = f"{vmi.metadata.namespace}/{vmi.metadata.name}"
    return resolve(vmi.spec, hostname(vmi), owner, prefix=prefix, directory=directory)


def resolve(
    spec: VirtualMachineInstanceSpec, guest: str, owner: str, *, prefix: str = "spec", directory: str = ""
) -> dict[str, NetworkBinding]:
    """As ``bind``; ``guest`` is the guest's host name, ``owner`` what makes device names unique on the host."""
    nics = {nic.name: nic for nic in spec.domain.devices.interfaces}
    bindings: dict[str, NetworkBinding] = {}
    causes: list[Cause] = []
    for number, network in enumerate(spec.networks):
        try:
            nic = nics.get(network.name)
            bindings[network.name] = _elsewhere(network, nic, owner, directory) or _named(
                _user(network, guest), spec, owner
            )
        except _BadRange as error:
            field = f"{prefix}.networks[{number}].pod.{error.field}"
            causes.append(Cause("FieldValueInvalid", f"{field}: {error}", field))
    if causes:
        raise Invalid(", ".join(cause.message for cause in causes), causes=causes)
    return bindings


def require(spec: VirtualMachineInstanceSpec, bindings: Mapping[str, NetworkBinding], *, prefix: str = "spec") -> None:
    """Raises ``HostError`` reason "NetworkMissing" for the first interface whose network cannot be had here."""
    for index, nic in enumerate(spec.domain.devices.interfaces):
        bound = bindings.get(nic.name)
        if bound is not None and bound.lacks and nic.state != "absent":
            field = f"{prefix}.domain.devices.interfaces[{index}]"
            raise HostError(bound.lacks, reason="NetworkMissing", field=field, hint=bound.hint)


def tap_name(owner: str, network: str) -> str:
    """A name for the host's end, at most 15 characters (IFNAMSIZ), the same at every start."""
    return "tap" + hashlib.sha256(f"{owner}/{network}".encode()).hexdigest()[:11]


class _BadRange(ValueError):
    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def _elsewhere(network: Network, nic: Interface | None, owner: str, directory: str) -> NetworkBinding | None:
    """What is not QEMU's user network; None for what is."""
    name = network.name
    if nic is not None and nic.sriov is not None:
        text = f'interface "{name}" is SR-IOV, and there is no network attachment here that gives it a function'
        return NetworkBinding(name, "vfio", lacks=text, hint=f"{_USE_MASQUERADE}, or hostDevices for a whole card")
    if nic is not None and nic.binding is not None:
        text = f'interface "{name}" needs the network binding plugin "{nic.binding.name}", which is not registered here'
        interface = tap_name(owner, name)
        return NetworkBinding(name, "tap", interface=interface, lacks=text, hint=_USE_MASQUERADE)
    if nic is not None and nic.passt_binding is not None:
        text = f'interface "{name}" needs passt, which this version does not start'
        socket = f"{directory}/passt-{name}.sock"
        return NetworkBinding(name, "passt", socket=socket, lacks=text, hint=_USE_MASQUERADE)
    if network.multus is not None:
        wanted = network.multus.network_name
        text = f'network "{name}" is the attachment "{wanted}", and no bridge of that name is set up here'
        return NetworkBinding(name, "tap", interface=tap_name(owner, name), lacks=text, hint=_USE_MASQUERADE)
    if network.resource_claim is not None:
        text = f'network "{name}" is a resource claim, and there is no driver for such claims here'
        return NetworkBinding(name, "tap", interface=tap_name(owner, name), lacks=text, hint=_USE_MASQUERADE)
    return None


def _user(network: Network, guest: str) -> NetworkBinding:
    cidr = _range4(network)
    cidr6 = _range6(network)
    return NetworkBinding(
        name=network.name,
        kind="user",
        network=str(cidr),
        host=str(cidr[1]),
        dns=str(cidr[3]),
        dhcp_start=str(cidr[2]),
        hostname=guest,
        network6=str(cidr6) if cidr6 else "",
        host6=str(cidr6[1]) if cidr6 else "",
        dns6=str(cidr6[3]) if cidr6 else "",
    )


def _named(bound: NetworkBinding, spec: VirtualMachineInstanceSpec, owner: str) -> NetworkBinding:
    """With the domains of ``subdomain`` and ``dnsConfig``, which DHCP tells."""
    namespace = owner.partition("/")[0]
    return msgspec.structs.replace(
        bound,
        domain=f"{spec.subdomain}.{namespace}.svc.cluster.local" if spec.subdomain else "",
        search=tuple(spec.dns_config.searches) if spec.dns_config is not None else (),
    )


def _range4(network: Network) -> ipaddress.IPv4Network:
    field = "vmNetworkCIDR"
    given = (network.pod.vm_network_cidr if network.pod is not None else "") or DEFAULT_CIDR
    try:
        cidr = ipaddress.IPv4Network(given, strict=False)
    except ValueError as error:
        raise _BadRange(field, f"{given[:40]!r} is not an IPv4 network such as {DEFAULT_CIDR}") from error
    if not _WIDEST <= cidr.prefixlen <= _NARROWEST:
        raise _BadRange(field, f"the prefix of {given!r} must be between /{_WIDEST} and /{_NARROWEST}")
    return cidr


def _range6(network: Network) -> ipaddress.IPv6Network | None:
    """Only where it is asked for: a guest that has IPv6 would wait for a host that has none."""
    field = "vmIPv6NetworkCIDR"
    given = network.pod.vm_ipv6_network_cidr if network.pod is not None else ""
    if not given:
        return None
    try:
        cidr = ipaddress.IPv6Network(given, strict=False)
    except ValueError as error:
        raise _BadRange(field, f"{given[:60]!r} is not an IPv6 network such as fd10:0:2::/120") from error
    if not _WIDEST6 <= cidr.prefixlen <= _NARROWEST6:
        raise _BadRange(field, f"the prefix of {given!r} must be between /{_WIDEST6} and /{_NARROWEST6}")
    return cidr
