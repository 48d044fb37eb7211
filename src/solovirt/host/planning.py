"""The bindings that a start would make, without touching anything: for ``explain`` of a file and of a VM.

What a start decides against what else runs (host devices, vsock numbers) is the caller's to give.
"""

from __future__ import annotations

from collections.abc import Mapping

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.host import dedicated, equipment, kept, moment
from solovirt.host.model.bindings import Bindings, HostDeviceBinding, NetworkBinding, Pins
from solovirt.host.model.facts import HostFacts
from solovirt.host.places import sockets_of
from solovirt.host.volumes.plan import plan, plan_kernel
from solovirt.kit.paths import Paths


def planned(
    vmi: VirtualMachineInstance,
    facts: HostFacts,
    paths: Paths,
    *,
    key: str,
    pins: Pins,
    networks: Mapping[str, NetworkBinding],
    host_devices: Mapping[str, HostDeviceBinding],
    vsock_cid: int,
) -> Bindings:
    """``key`` is the uid of what the machine belongs to, "" while it is not stored. Raises ``Invalid`` or
    ``HostError``."""
    uid = vmi.metadata.uid or vmi.metadata.name or "vmi"
    beside = equipment.planned(vmi, facts, paths, key, pins)
    bindings = Bindings(
        namespace=vmi.metadata.namespace,
        name=vmi.metadata.name,
        sockets=sockets_of(paths, uid),
        pins=pins,
        volumes=plan(vmi, paths),
        networks=dict(networks),
        host_devices=dict(host_devices),
        vsock_cid=vsock_cid,
        annotations=vmi.metadata.annotations,
        kernel=plan_kernel(vmi, paths),
        firmware=beside.firmware,
        acpi_tables=beside.acpi_tables,
        filesystems=dict(beside.filesystems),
        cpus=dedicated.plan(vmi.spec, facts),
    )
    places = kept.Places(paths.instance(uid), paths.vm(key or uid))
    return moment.planned(vmi.spec, vmi.metadata.annotations, places).bound(bindings, vmi.spec)
