"""The talk's transcripts of CPU and memory hotplug: the same commands, replies and events, in the same order.

Its machine is a RHEL 9 guest under KVM; here it is the tiny guest under emulation. What differs:

- QEMU 7.2 does not tell DEVICE_DELETED of an emulated vCPU, only of its local APIC: the object lives on, because its
  address space refers to it. ``test_cpus`` has the whole transcript with KVM.
- This QEMU tells of the NUMA node of each place once memory can be plugged ("node-id").
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import tinyguest
from tests.support.tinyguest import PATIENCE, Guest, Value

pytestmark = pytest.mark.real

MODEL = "EPYC-IBPB"
MACHINE = ("-cpu", f"{MODEL},x2apic=on,hypervisor=on,monitor=off", "-smp", "1,threads=2,cores=1,sockets=3,maxcpus=6",
           "-object", "memory-backend-ram,id=mem1,size=1G,reserve=off")  # fmt: skip
ORDER = ((2, 1), (2, 0), (1, 1), (1, 0), (0, 1), (0, 0))
"""(socket, thread) as query-hotpluggable-cpus lists them."""


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    options = (*MACHINE, *tinyguest.kernel(tinyguest.image()))
    memory, machine = "1024,slots=256,maxmem=40G", "q35,memory-backend=mem1"
    with tinyguest.start(*options, memory=memory, machine=machine) as started:
        started.wait_for_agent()
        yield started


def said(guest: Guest, command: str, arguments: dict[str, Value], last: str, count: int = 1) -> list[Value]:
    """The reply, and what follows until ``count`` events of the name ``last`` came; without times."""
    guest.qmp.send(command, arguments)
    found: list[Value] = []
    while count:
        message = guest.qmp.receive(PATIENCE)
        assert message is not None, (command, found)
        message.pop("timestamp", None)
        found.append({**message})
        count -= message.get("event") == last
    assert guest.qmp.receive(0.2) is None, "nothing else follows"
    return found


def ost(source: int, status: int, slot: str, kind: str, device: str = "") -> Value:
    info: dict[str, Value] = {"source": source, "status": status, "slot": slot, "slot-type": kind}
    return {"event": "ACPI_DEVICE_OST", "data": {"info": {**({"device": device} if device else {}), **info}}}


def deleted(path: str, device: str = "") -> Value:
    return {"event": "DEVICE_DELETED", "data": {**({"device": device} if device else {}), "path": path}}


def cpus(paths: dict[tuple[int, int], str]) -> list[Value]:
    """query-hotpluggable-cpus with vCPUs at ``paths``."""
    listed: list[Value] = []
    for socket, thread in ORDER:
        props: dict[str, Value] = {"core-id": 0, "thread-id": thread, "node-id": 0, "socket-id": socket}
        one: dict[str, Value] = {"props": props, "vcpus-count": 1, "type": f"{MODEL}-x86_64-cpu"}
        listed.append({**one, **({"qom-path": paths[socket, thread]} if (socket, thread) in paths else {})})
    return listed


def test_memory(guest: Guest) -> None:
    """Before the vCPUs: an emulated machine that lost one is not to be trusted any more."""
    qmp, size = guest.qmp, 1 << 30
    backend: dict[str, Value] = {
        "id": "mem2",
        "qom-type": "memory-backend-ram",
        "policy": "default",
        "size": size,
    }
    assert qmp.call("object-add", **backend) == {}
    before = total(guest)
    plugged = said(guest, "device_add", {"id": "dimm1", "driver": "pc-dimm", "memdev": "mem2"}, "ACPI_DEVICE_OST")
    assert plugged == [{"return": {}}, ost(1, 0, "0", "DIMM", "dimm1")]
    data: dict[str, Value] = {"memdev": "/objects/mem2", "hotplugged": True, "addr": 4294967296, "hotpluggable": True}
    data |= {"size": size, "slot": 0, "node": 0, "id": "dimm1"}
    assert qmp.call("query-memory-devices") == [{"type": "dimm", "data": data}]
    guest.wait_until(f"test $(grep MemTotal /proc/meminfo | tr -dc 0-9) -gt {before + 1_000_000}")
    removed = said(guest, "device_del", {"id": "dimm1"}, "ACPI_DEVICE_OST", 2)
    assert removed == [
        {"return": {}},
        ost(3, 132, "0", "DIMM", "dimm1"),
        deleted("/machine/peripheral/dimm1", "dimm1"),
        ost(3, 0, "0", "DIMM"),
    ]
    assert qmp.call("object-del", id="mem2") == {}
    assert qmp.call("query-memory-devices") == []
    assert total(guest) == before


def test_cpus(guest: Guest) -> None:
    """The guest takes the vCPU, and leaves it off line: with two emulated ones, it stalls on a busy host."""
    guest.run("killall uevent")
    qmp, first = guest.qmp, {(0, 0): "/machine/unattached/device[0]"}
    assert qmp.call("query-hotpluggable-cpus") == cpus(first)
    assert present(guest) == "0"
    place: dict[str, Value] = {"core-id": 0, "thread-id": 1, "socket-id": 2, "id": "core1"}
    plugged = said(guest, "device_add", {"driver": f"{MODEL}-x86_64-cpu", **place}, "ACPI_DEVICE_OST")
    assert plugged == [{"return": {}}, ost(1, 0, "5", "CPU", "core1")]
    assert qmp.call("query-hotpluggable-cpus") == cpus({**first, (2, 1): "/machine/peripheral/core1"})
    assert present(guest) == "0-1"
    removed = said(guest, "device_del", {"id": "core1"}, "ACPI_DEVICE_OST", 2)
    assert removed == [
        {"return": {}},
        ost(3, 132, "5", "CPU", "core1"),
        deleted("/machine/peripheral/core1/lapic"),
        ost(3, 0, "5", "CPU"),
    ]
    assert qmp.call("query-hotpluggable-cpus") == cpus(first)


def total(guest: Guest) -> int:
    """KiB."""
    return int(guest.run("grep MemTotal /proc/meminfo | tr -dc 0-9"))


def present(guest: Guest) -> str:
    return guest.run("cat /sys/devices/system/cpu/present")
