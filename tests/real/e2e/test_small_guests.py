"""What needs a machine of its own but no whole operating system: other NICs, memory and CPUs of the host, vsock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.host import hugepages, vsock
from solovirt.kit.jsontypes import JsonObject
from tests.support.manifests import tiny_kernel, vm
from tests.support.system import VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real
PAGE = 2 << 20
PAGES = 96
POOL = Path(f"/sys/kernel/mm/hugepages/hugepages-{PAGE >> 10}kB/nr_hugepages")
PCI = "cd /sys/bus/pci/devices; for d in *; do echo $(cat $d/vendor $d/device); done"


@pytest.mark.parametrize(("model", "identity"), [("pcnet", "0x1022 0x2000"), ("ne2k_pci", "0x10ec 0x8029")])
def test_nic_models(system: System, model: str, identity: str) -> None:
    nics: JsonObject = {"interfaces": [{"name": "pod", "masquerade": {}, "model": model}]}
    template: JsonObject = {"networks": [{"name": "pod", "pod": {}}]}
    system.apply(vm("nic", devices=nics, template=template, domain={"firmware": tiny_kernel()}))
    system.wait_agent("nic")
    assert identity in system.sh("nic", PCI).splitlines()


@pytest.fixture
def pool() -> Iterator[None]:
    """As many more huge pages as the guest takes."""
    if os.geteuid() != 0 or not os.access(POOL, os.W_OK):
        pytest.skip("only root can reserve huge pages")
    before = int(POOL.read_text())
    try:
        POOL.write_text(str(before + PAGES))
        if (hugepages.free(PAGE) or 0) < PAGES:
            pytest.skip("this host's memory is in too many pieces for huge pages")
        yield
    finally:
        POOL.write_text(str(before))


def test_huge_pages_a_cpu_of_its_own_and_the_hosts_numa_node(system: System, pool: None) -> None:
    """The host's counter, the threads' affinity, and the table in which the guest finds its node."""
    cpu: JsonObject = {
        "cores": 1,
        "maxSockets": 1,
        "dedicatedCpuPlacement": True,
        "numa": {"guestMappingPassthrough": {}},
    }
    memory: JsonObject = {"guest": f"{PAGES * 2}Mi", "hugepages": {"pageSize": "2Mi"}}
    domain: JsonObject = {"firmware": tiny_kernel(), "cpu": cpu, "memory": memory}
    free = hugepages.free(PAGE)
    assert free is not None
    system.apply(vm("huge", domain=domain))
    system.wait_agent("huge")
    assert hugepages.free(PAGE) == free - PAGES
    assert system.sh("huge", "ls /sys/firmware/acpi/tables | grep SRAT") == "SRAT"
    assert system.sh("huge", "cat /sys/devices/system/node/online; grep -c ^processor /proc/cpuinfo") == "0\n1"
    threads = Path(f"/proc/{system.qemu('huge')}/task").iterdir()
    vcpus = [thread for thread in threads if (thread / "comm").read_text().startswith("CPU 0")]
    assert [len(os.sched_getaffinity(int(thread.name))) for thread in vcpus] == [1]
    system.delete(VMS, "huge")
    wait_until(lambda: hugepages.free(PAGE) == free, 60, "the pages are back")


def test_vsock(system: System) -> None:
    """A number that the guest sees too; where the kernel has no vsock, a condition that tells what would help."""
    system.apply(vm("socket", devices={"autoattachVSOCK": True}, domain={"firmware": tiny_kernel()}))
    if vsock.DEVICE.exists():
        system.wait_agent("socket")
        assert "0x1af4 0x1053" in system.sh("socket", PCI).splitlines()
        return
    what = "/dev/vhost-vsock is missing: this kernel gives guests no vsock (modprobe vhost_vsock)"
    wait_until(
        lambda: what in str(system.condition(VMIS, "socket", "Synchronized").get("message", "")),
        60,
        lambda: system.about("socket"),
    )
