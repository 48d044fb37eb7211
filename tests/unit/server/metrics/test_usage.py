"""Figures under KubeVirt's names."""

from __future__ import annotations

from solovirt.controllers.figures import MachineFigures
from solovirt.hypervisor.figures import (
    Disk,
    Figures,
    Filesystem,
    GuestMemory,
    Load,
    Memory,
    Nic,
    Process,
    Vcpu,
)
from solovirt.server.metrics import usage
from solovirt.server.metrics.catalogue import CPU, GUEST, MEMORY, NETWORK, STORAGE
from solovirt.server.metrics.families import Families
from tests.unit.server.metrics.test_scrape import Samples, parsed

GUEST_MEMORY = GuestMemory(
    updated=1,
    total=100,
    free=40,
    available=60,
    caches=20,
    swap_in=1,
    swap_out=2,
    major_faults=3,
    minor_faults=4,
)
FULL = Figures(
    at=1.0,
    process=Process(user=2.0, system=0.5, resident=4096, uptime=9.0, threads=3),
    vcpus=(Vcpu(0, 1.5, 0.25, 0.125, 2), Vcpu(1, 1.0, None, None, 2)),
    memory=Memory(128, 120, GUEST_MEMORY),
    disks=(Disk("root", reads=1, writes=2, flushes=3, read_bytes=4, write_bytes=5, read_seconds=0.5),),
    nics=(Nic("default", "guest-agent", rx_bytes=7, tx_bytes=9, tx_dropped=1),),
    filesystems=(Filesystem("vda1", "/", "ext4", 10, 30),),
    load=Load(0.5, 0.25, 0.125),
)


def shown(figures: Figures | None, error: str = "") -> Samples:
    families = Families()
    usage.add(families, MachineFigures("ns", "web", "u", figures, error), None, "node")
    return parsed(families.text().decode())


def value(found: Samples, name: str, **more: str) -> float:
    labels = {"node": "node", "namespace": "ns", "name": "web", **more}
    return found[name, frozenset(labels.items())]


def test_every_metric_of_a_machine_has_a_sample() -> None:
    served = {name for name, _ in shown(FULL)}
    own = {"kubevirt_vmi_guest_os_panic_total"}
    assert (CPU.keys() | MEMORY.keys() | STORAGE.keys() | NETWORK.keys() | GUEST.keys()) - own - served == set()


def test_values_and_labels() -> None:
    found = shown(FULL)
    assert value(found, "kubevirt_vmi_cpu_usage_seconds_total") == 2.5
    assert value(found, "kubevirt_vmi_vcpu_seconds_total", id="0", state="running") == 1.5
    assert value(found, "kubevirt_vmi_vcpu_delay_seconds_total", id="0") == 0.25
    assert value(found, "kubevirt_vmi_node_cpu_affinity") == 4
    assert value(found, "kubevirt_vmi_memory_available_bytes") == 100
    assert value(found, "kubevirt_vmi_memory_usable_bytes") == 60
    assert value(found, "kubevirt_vmi_memory_unused_bytes") == 40
    assert value(found, "kubevirt_vmi_storage_iops_write_total", drive="root") == 2
    assert value(found, "kubevirt_vmi_storage_read_times_seconds_total", drive="root") == 0.5
    assert value(found, "kubevirt_vmi_network_receive_bytes_total", interface="default") == 7
    assert value(found, "kubevirt_vmi_network_transmit_packets_dropped_total", interface="default") == 1
    assert value(found, "kubevirt_vmi_network_traffic_bytes_total", interface="default", type="tx") == 9
    place = {"disk_name": "vda1", "mount_point": "/", "file_system_type": "ext4"}
    assert value(found, "kubevirt_vmi_filesystem_used_bytes", **place) == 10
    assert value(found, "kubevirt_vmi_guest_load_15m") == 0.125


def test_what_is_not_known_has_no_sample() -> None:
    names = {name for name, _ in shown(Figures(at=1.0, memory=Memory(128)))}
    assert names == {"kubevirt_vmi_memory_domain_bytes", "kubevirt_console_active_connections"}


def test_errors() -> None:
    found = shown(Figures(at=1.0, errors=("no monitor",)), "slow")
    assert value(found, "solovirt_scrape_errors", reason="no monitor") == 1
    assert value(found, "solovirt_scrape_errors", reason="slow") == 1
    assert value(shown(None, "slow"), "solovirt_scrape_errors", reason="slow") == 1
