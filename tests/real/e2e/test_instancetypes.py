"""VMs by size: examples/instancetype.yaml in a real guest, its revision, a conflict, the shipped set."""

from __future__ import annotations

import json

import pytest

from tests.support.system import EXAMPLES, VMIS, System, wait_until

pytestmark = pytest.mark.real

SIZED = """\
apiVersion: instancetype.kubevirt.io/v1beta1
kind: VirtualMachineInstancetype
metadata: {name: two}
spec: {cpu: {guest: 2}, memory: {guest: 192Mi}}
---
apiVersion: instancetype.kubevirt.io/v1beta1
kind: VirtualMachinePreference
metadata: {name: wide}
spec: {cpu: {preferredCPUTopology: cores}, devices: {preferredDiskBus: virtio}}
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: two}
spec:
  runStrategy: Always
  instancetype: {name: two, kind: VirtualMachineInstancetype}
  preference: {name: wide, kind: VirtualMachinePreference}
  template:
    spec:
      domain: {devices: {}}
      volumes: [{name: root, containerDisk: {image: solovirt/tiny}}]
"""


def cpus(system: System, name: str) -> int:
    return int(system.sh(name, "grep -c ^processor /proc/cpuinfo"))


def memory_mib(system: System, name: str) -> int:
    return int(system.sh(name, "awk '/MemTotal/ {print $2}' /proc/meminfo")) // 1024


def test_the_shipped_set_is_there(system: System) -> None:
    names = system.ok("get", "vmcf", "-o", "name").split()
    assert "virtualmachineclusterinstancetype.instancetype.kubevirt.io/u1.small" in names
    assert len(names) == 65
    assert "windows.2k22.virtio" in system.ok("get", "vmcp")
    assert "preferredDiskBus: virtio" in system.ok("get", "vmcp", "debian", "-o", "yaml")


def test_example_instancetype(system: System) -> None:
    example = str(EXAMPLES / "instancetype.yaml")
    system.ok("apply", "-f", example)
    system.wait_agent("sized")
    assert cpus(system, "sized") == 1
    assert 400 < memory_mib(system, "sized") <= 512
    explained = system.ok("explain", "vm", "sized", "-o", "argv")
    assert "virtio-blk-pci" in explained
    assert "size=524288k" in explained
    conflict = (
        EXAMPLES.joinpath("instancetype.yaml")
        .read_text()
        .replace("      domain:\n", "      domain:\n        memory: {guest: 64Mi}\n")
    )
    done = system.cli("apply", "-f", "-", stdin=conflict.encode())
    assert done.code != 0
    assert "VM field(s) spec.template.spec.domain.memory.guest conflicts with selected instance type" in done.err
    system.ok("delete", "-f", example)
    wait_until(lambda: not system.items(VMIS), 60, "the guest is gone")


def test_a_revision_holds(system: System) -> None:
    system.ok("apply", "-f", "-", stdin=SIZED.encode())
    system.wait_agent("two")
    assert (cpus(system, "two"), memory_mib(system, "two") <= 192) == (2, True)
    assert "size=196608k" in system.ok("explain", "vm", "two", "-o", "argv")
    system.ok("apply", "-f", "-", stdin=SIZED.partition("---")[0].replace("guest: 2}", "guest: 1}").encode())
    uid = system.uid("two")
    system.ok("restart", "two")
    wait_until(lambda: system.items(VMIS) and system.uid("two") != uid, 120, "another guest")
    system.wait_agent("two")
    assert cpus(system, "two") == 2
    status = json.loads(system.ok("get", "vm", "two", "-o", "json"))["status"]
    revision = status["instancetypeRef"]["controllerRevisionRef"]["name"]
    assert revision.startswith("two-two-v1beta1-")
    assert revision in system.ok("get", "controllerrevisions")
    system.ok("delete", "vm", "two")
    wait_until(lambda: "two-two" not in system.ok("get", "controllerrevisions"), 60, "its revisions went with it")
    system.ok("delete", "vmf/two", "vmp/wide")
