"""What VMs are, as metrics. Source: kubevirt pkg/monitoring/metrics/virt-controller/vmstats_collector.go."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api import registry
from solovirt.api.kubevirt.spec.instance import Domain
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.kit import quantity, timestamps
from solovirt.server.metrics import nics
from solovirt.server.metrics.families import Families, label_name
from solovirt.server.metrics.instances import TEMPLATE
from solovirt.store.objects import Objects

GROUPS = {
    "starting": ("Provisioning", "Starting", "WaitingForVolumeBinding", "WaitingForReceiver"),
    "running": ("Running",),
    "migrating": ("Migrating",),
    "non_running": ("Stopped", "Paused", "Stopping", "Terminating"),
    "error": (
        "CrashLoopBackOff",
        "Unknown",
        "ErrorUnschedulable",
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrorPvcNotFound",
        "DataVolumeError",
    ),
}
_TELLING = ("Ready", "Failure", "Paused")
"""Conditions whose last change is that of the status."""


def add(families: Families, vm: VirtualMachine, objects: Objects) -> None:
    """``objects`` has the claims of its volumes."""
    meta = vm.metadata
    own = {"name": meta.name, "namespace": meta.namespace}
    families.add("kubevirt_vm_info", {**own, **_info(vm)}, 1)
    families.add("kubevirt_vm_create_date_timestamp_seconds", own, _seconds(meta.creation_timestamp))
    group, changed = status_group(vm.status.printable_status), _last_change(vm)
    for one in GROUPS:
        value = changed if one == group or (one == "error" and group == "<unknown>") else 0
        families.add(f"kubevirt_vm_{one}_status_last_transition_timestamp_seconds", own, value)
    for labels, amount in _requests(vm.spec.template.spec.domain):
        families.add("kubevirt_vm_resource_requests", {**own, **labels}, amount)
    for labels, amount in _limits(vm.spec.template.spec.domain):
        families.add("kubevirt_vm_resource_limits", {**own, **labels}, amount)
    for labels, amount in _disks(vm, objects):
        families.add("kubevirt_vm_disk_allocated_size_bytes", {**own, **labels}, amount)
    for labels in nics.described(vm.spec.template.spec):
        families.add("kubevirt_vm_vnic_info", {**own, **labels}, 1)
    if meta.labels:
        shown = {f"label_{label_name(key)}": value for key, value in sorted(meta.labels.items())}
        families.add("kubevirt_vm_labels", {**own, **shown}, 1)


def status_group(status: str) -> str:
    return next((group for group, statuses in GROUPS.items() if status in statuses), "<unknown>")


def _info(vm: VirtualMachine) -> dict[str, str]:
    notes, machine = vm.spec.template.metadata.annotations, vm.spec.template.spec.domain.machine
    instancetype, preference, status = vm.spec.instancetype, vm.spec.preference, vm.status.printable_status
    return {
        **{key: notes.get(TEMPLATE + key, "") for key in ("os", "workload", "flavor")},
        "machine_type": machine.type if machine is not None else "",
        "instance_type": instancetype.name if instancetype is not None else "",
        "preference": preference.name if preference is not None else "",
        "status": status.lower(),
        "status_group": status_group(status),
    }


def _last_change(vm: VirtualMachine) -> float:
    times = [_seconds(c.last_transition_time) for c in vm.status.conditions if c.type in _TELLING]
    return max((moment for moment in times if moment is not None), default=0)


def _requests(domain: Domain) -> Iterator[tuple[dict[str, str], float]]:
    requests = domain.resources.requests if domain.resources is not None else {}
    if "memory" in requests:
        yield _labels("memory", "bytes", "domain"), _value(requests["memory"])
    memory, cpu = domain.memory, domain.cpu
    if memory is not None and memory.guest is not None:
        yield _labels("memory", "bytes", "guest"), _value(memory.guest)
    if memory is not None and memory.hugepages is not None:
        yield _labels("memory", "bytes", "hugepages"), _value(memory.hugepages.page_size)
    parts = {"cores": cpu.cores, "threads": cpu.threads, "sockets": cpu.sockets} if cpu is not None else {}
    for unit, count in parts.items():
        if count:
            yield _labels("cpu", unit, "domain"), count
    if "cpu" in requests:
        yield _labels("cpu", "cores", "requests"), _value(requests["cpu"])
    elif cpu is None:
        for unit in ("cores", "threads", "sockets"):
            yield _labels("cpu", unit, "default"), 1


def _limits(domain: Domain) -> Iterator[tuple[dict[str, str], float]]:
    limits = domain.resources.limits if domain.resources is not None else {}
    for resource, unit in (("memory", "bytes"), ("cpu", "cores")):
        if resource in limits:
            yield {"resource": resource, "unit": unit}, _value(limits[resource])


def _disks(vm: VirtualMachine, objects: Objects) -> Iterator[tuple[dict[str, str], float]]:
    for volume in vm.spec.template.spec.volumes:
        claim_source, data_volume = volume.persistent_volume_claim, volume.data_volume
        name = claim_source.claim_name if claim_source is not None else data_volume.name if data_volume else ""
        claim = objects.find(registry.PERSISTENT_VOLUME_CLAIMS, vm.metadata.namespace, name) if name else None
        if claim is not None and (size := claim.spec.resources.requests.get("storage")) is not None:
            mode = claim.spec.volume_mode or "<none>"
            yield {"persistentvolumeclaim": name, "volume_mode": mode, "device": volume.name}, _value(size)


def _labels(resource: str, unit: str, source: str) -> dict[str, str]:
    return {"resource": resource, "unit": unit, "source": source}


def _value(text: str | int | float) -> float:
    """0 for what is no quantity: a default of somebody else may be."""
    try:
        return float(quantity.parse(text))
    except ValueError:
        return 0.0


def _seconds(text: str | None) -> float | None:
    try:
        return timestamps.parse(text).timestamp() if text else None
    except ValueError:
        return None
