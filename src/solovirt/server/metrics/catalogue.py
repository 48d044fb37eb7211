"""Every metric that is served: its type and its help text. Names and words are KubeVirt's (its
docs/observability/metrics.md) where it has the metric; ours begin with ``solovirt_``. docs/metrics.md lists the same,
and what is absent and why.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Type = Literal["counter", "gauge", "histogram"]


class Entry(NamedTuple):
    type: Type
    help: str


def _counter(text: str) -> Entry:
    return Entry("counter", text)


def _gauge(text: str) -> Entry:
    return Entry("gauge", text)


_STATUS = "Virtual Machine last transition timestamp to {} status."
_FAULT = (
    "Page faults occur when a process makes a valid access to virtual memory that is not available. "
    "When servicing the page fault, if disk IO is {}, it is considered as {} fault."
)
_LOAD = "Guest system load average over {} as reported by the guest agent. Requires qemu-guest-agent 10.0.0 or above."

CPU = {
    "kubevirt_vmi_cpu_usage_seconds_total": _counter(
        "Total CPU time spent in all modes (sum of both vcpu and hypervisor usage)."
    ),
    "kubevirt_vmi_cpu_user_usage_seconds_total": _counter("Total CPU time spent in user mode."),
    "kubevirt_vmi_cpu_system_usage_seconds_total": _counter("Total CPU time spent in system mode."),
    "kubevirt_vmi_vcpu_seconds_total": _counter(
        "Total amount of time spent in each state by each vcpu (cpu_time excluding hypervisor time). "
        "Where `id` is the vcpu identifier and `state` is always `running`, as for all vcpus that are plugged."
    ),
    "kubevirt_vmi_vcpu_wait_seconds_total": _counter(
        "Amount of time spent by each vcpu while waiting, as the host's scheduler counts it (kernel.sched_schedstats)."
    ),
    "kubevirt_vmi_vcpu_delay_seconds_total": _counter(
        "Amount of time spent by each vcpu waiting in the queue instead of running."
    ),
    "kubevirt_vmi_node_cpu_affinity": _gauge("Number of VMI CPU affinities to node physical cores."),
}
MEMORY = {
    "kubevirt_vmi_memory_domain_bytes": _gauge(
        "The amount of memory in bytes allocated to the domain, with what was hot-plugged."
    ),
    "kubevirt_vmi_memory_resident_bytes": _gauge("Resident set size of the process running the domain."),
    "kubevirt_vmi_memory_actual_balloon_bytes": _gauge("Current balloon size in bytes."),
    "kubevirt_vmi_memory_available_bytes": _gauge("Amount of usable memory as seen by the domain."),
    "kubevirt_vmi_memory_unused_bytes": _gauge(
        "The amount of memory left completely unused by the system. "
        "Memory that is available but used for reclaimable caches should NOT be reported as free."
    ),
    "kubevirt_vmi_memory_usable_bytes": _gauge(
        "The amount of memory which can be reclaimed by balloon without pushing the guest system to swap, "
        "corresponds to 'Available' in /proc/meminfo."
    ),
    "kubevirt_vmi_memory_cached_bytes": _gauge(
        "The amount of memory that is being used to cache I/O and is available to be reclaimed, "
        "corresponds to the sum of `Buffers` + `Cached` + `SwapCached` in `/proc/meminfo`."
    ),
    "kubevirt_vmi_memory_swap_in_traffic_bytes": _gauge(
        "The total amount of data read from swap space of the guest in bytes."
    ),
    "kubevirt_vmi_memory_swap_out_traffic_bytes": _gauge(
        "The total amount of memory written out to swap space of the guest in bytes."
    ),
    "kubevirt_vmi_memory_pgmajfault_total": _counter(
        "The number of page faults when disk IO was required. " + _FAULT.format("required", "major")
    ),
    "kubevirt_vmi_memory_pgminfault_total": _counter(
        "The number of other page faults, when disk IO was not required. " + _FAULT.format("NOT required", "minor")
    ),
}
NETWORK = {
    "kubevirt_vmi_network_receive_bytes_total": _counter("Total network traffic received in bytes."),
    "kubevirt_vmi_network_transmit_bytes_total": _counter("Total network traffic transmitted in bytes."),
    "kubevirt_vmi_network_receive_packets_total": _counter("Total network traffic received packets."),
    "kubevirt_vmi_network_transmit_packets_total": _counter("Total network traffic transmitted packets."),
    "kubevirt_vmi_network_receive_errors_total": _counter("Total network received error packets."),
    "kubevirt_vmi_network_transmit_errors_total": _counter("Total network transmitted error packets."),
    "kubevirt_vmi_network_receive_packets_dropped_total": _counter(
        "The total number of rx packets dropped on vNIC interfaces."
    ),
    "kubevirt_vmi_network_transmit_packets_dropped_total": _counter(
        "The total number of tx packets dropped on vNIC interfaces."
    ),
    "kubevirt_vmi_network_traffic_bytes_total": _counter("[Deprecated] Total number of bytes sent and received."),
}
STORAGE = {
    "kubevirt_vmi_storage_iops_read_total": _counter("Total number of I/O read operations."),
    "kubevirt_vmi_storage_iops_write_total": _counter("Total number of I/O write operations."),
    "kubevirt_vmi_storage_read_traffic_bytes_total": _counter("Total number of bytes read from storage."),
    "kubevirt_vmi_storage_write_traffic_bytes_total": _counter("Total number of written bytes."),
    "kubevirt_vmi_storage_read_times_seconds_total": _counter("Total time spent on read operations."),
    "kubevirt_vmi_storage_write_times_seconds_total": _counter("Total time spent on write operations."),
    "kubevirt_vmi_storage_flush_requests_total": _counter("Total storage flush requests."),
    "kubevirt_vmi_storage_flush_times_seconds_total": _counter("Total time spent on cache flushing."),
}
GUEST = {
    "kubevirt_vmi_filesystem_capacity_bytes": _gauge("Total VM filesystem capacity in bytes."),
    "kubevirt_vmi_filesystem_used_bytes": _gauge("Used VM filesystem capacity in bytes."),
    "kubevirt_vmi_guest_load_1m": _gauge(_LOAD.format("1 minute")),
    "kubevirt_vmi_guest_load_5m": _gauge(_LOAD.format("5 minutes")),
    "kubevirt_vmi_guest_load_15m": _gauge(_LOAD.format("15 minutes")),
    "kubevirt_vmi_guest_os_panic_total": _counter(
        "Total number of guest OS panic events detected, partitioned by VMI, since the daemon's start."
    ),
}
INSTANCES = {
    "kubevirt_vmi_info": _gauge("Information about VirtualMachineInstances."),
    "kubevirt_vmi_non_evictable": _gauge(
        "Indication for a VirtualMachine that its eviction strategy is set to Live Migration but is not migratable."
    ),
    "kubevirt_vmi_status_addresses": _gauge(
        "The addresses of a VirtualMachineInstance: the address in the 'address' label, its type in the 'type' label."
    ),
    "kubevirt_vmi_vnic_info": _gauge(
        "Details of VirtualMachineInstance (VMI) vNIC interfaces, such as vNIC name, binding type, network name, "
        "and binding name for each vNIC of a running instance."
    ),
    "kubevirt_vmi_last_api_connection_timestamp_seconds": _gauge(
        "Virtual Machine Instance last API connection timestamp: of its console, since the daemon's start."
    ),
    "kubevirt_console_active_connections": _gauge(
        "Amount of active Console connections, broken down by namespace and vmi name."
    ),
    "kubevirt_vmi_phase_transition_time_seconds": Entry(
        "histogram", "Histogram of VM phase transitions duration between different phases in seconds."
    ),
    "kubevirt_vmi_phase_transition_time_from_creation_seconds": Entry(
        "histogram", "Histogram of VM phase transitions duration from creation time in seconds."
    ),
    "kubevirt_vmi_phase_transition_time_from_deletion_seconds": Entry(
        "histogram", "Histogram of VM phase transitions duration from deletion time in seconds."
    ),
}
MACHINES = {
    "kubevirt_vm_info": _gauge("Information about Virtual Machines."),
    "kubevirt_vm_create_date_timestamp_seconds": _gauge("Virtual Machine creation timestamp."),
    # Counters in KubeVirt; they go back to 0, and what may do that is a gauge.
    "kubevirt_vm_starting_status_last_transition_timestamp_seconds": _gauge(_STATUS.format("starting")),
    "kubevirt_vm_running_status_last_transition_timestamp_seconds": _gauge(_STATUS.format("running")),
    "kubevirt_vm_migrating_status_last_transition_timestamp_seconds": _gauge(_STATUS.format("migrating")),
    "kubevirt_vm_non_running_status_last_transition_timestamp_seconds": _gauge(_STATUS.format("paused/stopped")),
    "kubevirt_vm_error_status_last_transition_timestamp_seconds": _gauge(_STATUS.format("error")),
    "kubevirt_vm_resource_requests": _gauge("Resources requested by Virtual Machine. Reports memory and CPU requests."),
    "kubevirt_vm_resource_limits": _gauge(
        "Resource limits set for a Virtual Machine. Reports CPU and memory limits only when they are defined."
    ),
    "kubevirt_vm_disk_allocated_size_bytes": _gauge(
        "Allocated disk size of a Virtual Machine in bytes, based on its PersistentVolumeClaim."
    ),
    "kubevirt_vm_vnic_info": _gauge(
        "Details of Virtual Machine (VM) vNIC interfaces, such as vNIC name, binding type, network name, "
        "and binding name for each vNIC defined in the VM's configuration."
    ),
    "kubevirt_vm_labels": _gauge("The metric exposes the VM labels as Prometheus labels."),
}
OWN = {
    "kubevirt_info": _gauge("Version information."),
    "kubevirt_configuration_emulation_enabled": _gauge(
        "Indicates whether guests run under software emulation because KVM is not used on this host."
    ),
    "kubevirt_workqueue_depth": _gauge("Current depth of workqueue: objects that wait for a controller."),
    "solovirt_store_commits_total": _counter("Transactions of the object store since the daemon's start."),
    "solovirt_store_revision": _gauge("The object store's latest resourceVersion."),
    "solovirt_process_cpu_seconds_total": _counter("CPU time of the daemon, user and system."),
    "solovirt_process_resident_memory_bytes": _gauge("Resident memory of the daemon."),
    "solovirt_scrape_duration_seconds": _gauge("How long this measurement of all machines took."),
    "solovirt_scrape_errors": _gauge("What could not be measured of a running machine this time."),
}
METRICS: dict[str, Entry] = {**CPU, **MEMORY, **NETWORK, **STORAGE, **GUEST, **INSTANCES, **MACHINES, **OWN}
