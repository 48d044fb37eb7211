"""What VMIs are, as metrics. Source: kubevirt pkg/monitoring/metrics/virt-controller/vmistats_collector.go."""

from __future__ import annotations

from collections.abc import Mapping

from solovirt.api.kubevirt.virtualmachineinstance import InterfaceStatus, VirtualMachineInstance
from solovirt.api.meta import find_condition
from solovirt.server.metrics import nics
from solovirt.server.metrics.families import Families

TEMPLATE = "vm.kubevirt.io/"
"""Annotations that say what for a VM was made."""
INSTANCETYPES = ("kubevirt.io/instancetype-name", "kubevirt.io/cluster-instancetype-name")
PREFERENCES = ("kubevirt.io/preference-name", "kubevirt.io/cluster-preference-name")


def add(families: Families, vmi: VirtualMachineInstance) -> None:
    meta, status = vmi.metadata, vmi.status
    own = {"node": status.node_name, "namespace": meta.namespace, "name": meta.name}
    evictable = _is_evictable(vmi)
    families.add("kubevirt_vmi_info", {**own, **_info(vmi), "evictable": _word(evictable)}, 1)
    families.add("kubevirt_vmi_non_evictable", own, int(not evictable))
    for interface in status.interfaces:
        _add_address(families, interface, own)
    for labels in nics.described(vmi.spec):
        named = {"name": meta.name, "namespace": meta.namespace, **labels}
        families.add("kubevirt_vmi_vnic_info", named, 1)


def _info(vmi: VirtualMachineInstance) -> dict[str, str]:
    notes, guest, machine = vmi.metadata.annotations, vmi.status.guest_os_info, vmi.status.machine
    return {
        "phase": vmi.status.phase.lower(),
        **{key: notes.get(TEMPLATE + key, "") for key in ("os", "workload", "flavor")},
        "instance_type": first(notes, INSTANCETYPES),
        "preference": first(notes, PREFERENCES),
        "guest_os_kernel_release": guest.kernel_release if guest is not None else "",
        "guest_os_machine": machine.type if machine is not None else "",
        "guest_os_arch": guest.machine if guest is not None else "",
        "guest_os_name": guest.name if guest is not None else "",
        "guest_os_version_id": guest.version_id if guest is not None else "",
        "outdated": "false",
    }


def first(values: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((values[key] for key in keys if values.get(key)), "")


def _is_evictable(vmi: VirtualMachineInstance) -> bool:
    """False for one that shall be migrated and cannot be."""
    if vmi.spec.eviction_strategy != "LiveMigrate":
        return True
    migratable = find_condition(vmi.status.conditions, "LiveMigratable")
    return migratable is not None and migratable.status == "True"


def _add_address(families: Families, interface: InterfaceStatus, own: Mapping[str, str]) -> None:
    if not (interface.ip_address or interface.name or interface.interface_name):
        return
    labels = {
        **own,
        "vnic_name": interface.name,
        "interface_name": interface.interface_name,
        "address": interface.ip_address,
        "type": "ExternalInterface" if interface.ip_address else "SystemInterface",
    }
    families.add("kubevirt_vmi_status_addresses", labels, 1)


def _word(value: bool) -> str:
    return "true" if value else "false"
