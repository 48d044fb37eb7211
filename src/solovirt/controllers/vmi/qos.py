"""The quality-of-service class that a VMI's pod would have. Pure.

Source: kubevirt pkg/virt-controller/services (what the pod asks for), Kubernetes pkg/apis/core/v1/helper/qos.
"""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.quantities import Quantity, as_bytes
from solovirt.kit import quantity

GUARANTEED, BURSTABLE = "Guaranteed", "Burstable"


def qos_class(spec: VirtualMachineInstanceSpec) -> str:
    """Never BestEffort: the pod always asks for the guest's memory."""
    limits, requests = spec.domain.resources.limits, spec.domain.resources.requests
    if spec.domain.cpu is not None and spec.domain.cpu.dedicated_cpu_placement:
        return GUARANTEED  # KubeVirt limits the pod to what it asks for
    for name in ("cpu", "memory"):
        if name not in limits or not _same(requests.get(name, limits[name]), limits[name]):
            return BURSTABLE
    guest = as_bytes(spec.domain.memory.guest) if spec.domain.memory is not None else None
    asked = as_bytes(requests.get("memory", limits["memory"]))
    return GUARANTEED if guest is None or asked is None or guest <= asked else BURSTABLE


def _same(first: Quantity, second: Quantity) -> bool:
    try:
        return quantity.parse(first) == quantity.parse(second)
    except ValueError:
        return False
