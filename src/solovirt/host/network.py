"""Networks of a VMI resolved for this host: today QEMU's user network with the addresses that KubeVirt's pods have.

The guest sees 10.0.2.2/24, gateway 10.0.2.1 and a resolver at 10.0.2.3, or the same places in ``vmNetworkCIDR``. Pure.
"""

from __future__ import annotations

import ipaddress

from solovirt.api.kubevirt.spec.sources import Network
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.host.model.bindings import NetworkBinding
from solovirt.kit.errors import Cause, Invalid

DEFAULT_CIDR = "10.0.2.0/24"
"""KubeVirt's default of ``networks[].pod.vmNetworkCIDR``."""

_WIDEST, _NARROWEST = 8, 29


def hostname(vmi: VirtualMachineInstance) -> str:
    """``spec.hostname``, else the VMI's name up to its first dot, as KubeVirt does; at most 63 characters."""
    name = vmi.spec.hostname or vmi.metadata.name
    return name.partition(".")[0][:63].rstrip("-")


def bind(vmi: VirtualMachineInstance, *, prefix: str = "spec") -> dict[str, NetworkBinding]:
    """One binding for each pod network, by name. Raises ``Invalid`` with a cause for each wrong ``vmNetworkCIDR``."""
    bindings: dict[str, NetworkBinding] = {}
    causes: list[Cause] = []
    name = hostname(vmi)
    for number, network in enumerate(vmi.spec.networks):
        try:
            bindings[network.name] = _bind(network, name)
        except ValueError as error:
            field = f"{prefix}.networks[{number}].pod.vmNetworkCIDR"
            causes.append(Cause("FieldValueInvalid", f"{field}: {error}", field))
    if causes:
        raise Invalid(", ".join(cause.message for cause in causes), causes=causes)
    return bindings


def _bind(network: Network, name: str) -> NetworkBinding:
    given = (network.pod.vm_network_cidr if network.pod is not None else "") or DEFAULT_CIDR
    try:
        cidr = ipaddress.IPv4Network(given, strict=False)
    except ValueError as error:
        raise ValueError(f"{given[:40]!r} is not an IPv4 network such as {DEFAULT_CIDR}") from error
    if not _WIDEST <= cidr.prefixlen <= _NARROWEST:
        raise ValueError(f"the prefix of {given!r} must be between /{_WIDEST} and /{_NARROWEST}")
    return NetworkBinding(
        name=network.name,
        kind="user",
        network=str(cidr),
        host=str(cidr[1]),
        dns=str(cidr[3]),
        dhcp_start=str(cidr[2]),
        hostname=name,
    )
