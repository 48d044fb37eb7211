"""What every configurator gets: the spec, the host's facts, the bindings, and where devices sit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from solovirt.api.kubevirt.spec.devices import Devices
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.compile.layout import Endpoint, Layout
from solovirt.compile.options import Option
from solovirt.host.model.bindings import Bindings
from solovirt.host.model.facts import HostFacts


class Context(msgspec.Struct, frozen=True):
    """Read only. ``layout`` is empty while endpoints are being collected."""

    spec: VirtualMachineInstanceSpec
    facts: HostFacts
    bindings: Bindings
    layout: Layout = msgspec.field(default_factory=Layout)

    @property
    def devices(self) -> Devices:
        return self.spec.domain.devices

    def annotated(self, name: str) -> bool:
        """Whether the VMI has the annotation with the value "true" (in any case, as KubeVirt compares them)."""
        return self.bindings.annotations.get(name, "").lower() == "true"


Configurator = Callable[[Context], Iterable[Option]]
"""Adds the options of one concern. Pure; raises ``Invalid`` or ``HostError``."""

EndpointSource = Callable[[Context], Iterable[Endpoint]]
"""The devices of one concern that need a slot somewhere."""


def device_id(name: str) -> str:
    """The QEMU id of what a manifest names (a disk, an interface, an input): libvirt's user alias."""
    return f"ua-{name}"
