"""What running machines use, as metrics."""

from __future__ import annotations

from collections.abc import Mapping

from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.figures import MachineFigures
from solovirt.hypervisor.figures import Disk, Figures, Memory, Nic, Process, Vcpu
from solovirt.server.metrics import nics
from solovirt.server.metrics.families import Families

Labels = Mapping[str, str]
_NIC = {
    "receive_bytes": "rx_bytes",
    "receive_packets": "rx_packets",
    "receive_errors": "rx_errors",
    "receive_packets_dropped": "rx_dropped",
    "transmit_bytes": "tx_bytes",
    "transmit_packets": "tx_packets",
    "transmit_errors": "tx_errors",
    "transmit_packets_dropped": "tx_dropped",
}
_DISK = {
    "iops_read": "reads",
    "iops_write": "writes",
    "read_traffic_bytes": "read_bytes",
    "write_traffic_bytes": "write_bytes",
    "read_times_seconds": "read_seconds",
    "write_times_seconds": "write_seconds",
    "flush_requests": "flushes",
    "flush_times_seconds": "flush_seconds",
}


def add(families: Families, found: MachineFigures, vmi: VirtualMachineInstance | None, node: str) -> None:
    """``vmi`` tells which network an interface is on; it may be gone."""
    labels = {"node": node, "namespace": found.namespace, "name": found.name}
    for error in found.errors:
        families.add("solovirt_scrape_errors", {**labels, "reason": error}, 1)
    families.add("kubevirt_console_active_connections", _vmi(found), int(found.console_open))
    if found.figures is not None:
        _add_figures(families, found.figures, labels, nics.networks(vmi))


def _vmi(found: MachineFigures) -> dict[str, str]:
    return {"namespace": found.namespace, "vmi": found.name}


def _add_figures(families: Families, figures: Figures, labels: Labels, networks: Mapping[str, str]) -> None:
    if figures.process is not None:
        _add_process(families, figures.process, labels)
    for vcpu in figures.vcpus:
        _add_vcpu(families, vcpu, labels)
    affinities = [vcpu.affinity for vcpu in figures.vcpus if vcpu.affinity is not None]
    families.add("kubevirt_vmi_node_cpu_affinity", labels, sum(affinities) if affinities else None)
    if figures.memory is not None:
        _add_memory(families, figures.memory, labels)
    for disk in figures.disks:
        _add_disk(families, disk, labels)
    for nic in figures.nics:
        _add_nic(families, nic, labels, networks.get(nic.name, ""))
    for one in figures.filesystems:
        place = {**labels, "disk_name": one.disk, "mount_point": one.mount_point, "file_system_type": one.type}
        families.add("kubevirt_vmi_filesystem_capacity_bytes", place, one.total)
        families.add("kubevirt_vmi_filesystem_used_bytes", place, one.used)
    if figures.load is not None:
        families.add("kubevirt_vmi_guest_load_1m", labels, figures.load.one)
        families.add("kubevirt_vmi_guest_load_5m", labels, figures.load.five)
        families.add("kubevirt_vmi_guest_load_15m", labels, figures.load.fifteen)


def _add_process(families: Families, process: Process, labels: Labels) -> None:
    families.add("kubevirt_vmi_cpu_usage_seconds_total", labels, process.user + process.system)
    families.add("kubevirt_vmi_cpu_user_usage_seconds_total", labels, process.user)
    families.add("kubevirt_vmi_cpu_system_usage_seconds_total", labels, process.system)
    families.add("kubevirt_vmi_memory_resident_bytes", labels, process.resident)


def _add_vcpu(families: Families, vcpu: Vcpu, labels: Labels) -> None:
    own = {**labels, "id": str(vcpu.index)}
    families.add("kubevirt_vmi_vcpu_seconds_total", {**own, "state": "running"}, vcpu.seconds)
    families.add("kubevirt_vmi_vcpu_wait_seconds_total", own, vcpu.wait)
    families.add("kubevirt_vmi_vcpu_delay_seconds_total", own, vcpu.delay)


def _add_memory(families: Families, memory: Memory, labels: Labels) -> None:
    families.add("kubevirt_vmi_memory_domain_bytes", labels, memory.domain)
    families.add("kubevirt_vmi_memory_actual_balloon_bytes", labels, memory.balloon)
    guest = memory.guest
    if guest is None:
        return
    families.add("kubevirt_vmi_memory_available_bytes", labels, guest.total)
    families.add("kubevirt_vmi_memory_unused_bytes", labels, guest.free)
    families.add("kubevirt_vmi_memory_usable_bytes", labels, guest.available)
    families.add("kubevirt_vmi_memory_cached_bytes", labels, guest.caches)
    families.add("kubevirt_vmi_memory_swap_in_traffic_bytes", labels, guest.swap_in)
    families.add("kubevirt_vmi_memory_swap_out_traffic_bytes", labels, guest.swap_out)
    families.add("kubevirt_vmi_memory_pgmajfault_total", labels, guest.major_faults)
    families.add("kubevirt_vmi_memory_pgminfault_total", labels, guest.minor_faults)


def _add_disk(families: Families, disk: Disk, labels: Labels) -> None:
    for name, field in _DISK.items():
        families.add(f"kubevirt_vmi_storage_{name}_total", {**labels, "drive": disk.name}, getattr(disk, field))


def _add_nic(families: Families, nic: Nic, labels: Labels, network: str) -> None:
    own = {**labels, "interface": nic.name, "network": network}
    for name, field in _NIC.items():
        families.add(f"kubevirt_vmi_network_{name}_total", own, getattr(nic, field))
    for direction, value in (("rx", nic.rx_bytes), ("tx", nic.tx_bytes)):
        old = {**labels, "interface": nic.name, "type": direction}
        families.add("kubevirt_vmi_network_traffic_bytes_total", old, value)
