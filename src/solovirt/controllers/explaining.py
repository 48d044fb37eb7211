"""The command line that a VM would get now, without starting anything: for ``explain`` of a stopped VM."""

from __future__ import annotations

from solovirt.api.instancetype.find import types_of
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.compile import explain, plan
from solovirt.controllers.site import Site
from solovirt.controllers.vm import factory
from solovirt.controllers.vmi import pins
from solovirt.controllers.vmi.hostdevices import HostDeviceGiver
from solovirt.controllers.vmi.launcher import VM_PREFIX, VMI_PREFIX, known_origins
from solovirt.controllers.vmi.records import MachineRecords
from solovirt.host import planning
from solovirt.kit import json
from solovirt.kit.json import JsonObject, to_json


def planned(
    site: Site, records: MachineRecords, vm: VirtualMachine | None, vmi: VirtualMachineInstance | None
) -> JsonObject:
    """``compile.explain.Explanation`` as JSON. Raises ``Invalid`` or ``HostError`` where no machine can be made."""
    if vmi is None:
        assert vm is not None
        vmi = factory.next_vmi(vm, types_of(vm, site.objects), site.objects)
    prefix = VM_PREFIX if vm is not None else VMI_PREFIX
    given = HostDeviceGiver(site.paths.state, records).plan(vmi, site.paths.sockets(vmi.metadata.uid or "vmi"))
    key = vm.metadata.uid if vm is not None else pins.key(vmi)
    known = pins.complete(vmi, records.pins(pins.key(vmi)))
    bindings = planning.planned(
        vmi,
        site.facts,
        site.paths,
        key=key,
        pins=known,
        networks=given.networks,
        host_devices=given.host_devices,
        vsock_cid=given.vsock_cid,
    )
    machine = plan.compile_machine(vmi.spec, site.facts, bindings, prefix=prefix)
    written = explain.Written(to_json(vm if vm is not None else vmi))
    origins = known_origins(vm, site.objects) if vm is not None else {}
    return json.decode_object(json.encode(explain.explain(machine, prefix=prefix, lines=written, origins=origins)))
