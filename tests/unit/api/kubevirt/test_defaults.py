import copy
import uuid

import pytest

from solovirt.api.decode import decode
from solovirt.api.kubevirt.defaults import default_vm, default_vmi, identity
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.registry import VIRTUAL_MACHINE_INSTANCES
from solovirt.kit.json import JsonObject

from ..samples import vm, vmi


def bare(domain: JsonObject, **spec: object) -> VirtualMachineInstance:
    """A VMI of KubeVirt's shortest kind, defaulted."""
    value = {"metadata": {"name": "x"}, "spec": {"domain": {"devices": {}, **domain}, **spec}}
    made = decode(VIRTUAL_MACHINE_INSTANCES, value).object
    default_vmi(made)
    return made


def test_a_vm_gets_its_platform_and_identity() -> None:
    made = vm()
    default_vm(made)
    spec = made.spec.template.spec
    assert spec.architecture == "amd64" and spec.domain.machine is not None and spec.domain.machine.type == "q35"
    firmware = spec.domain.firmware
    assert firmware is not None and uuid.UUID(firmware.uuid).version == 4 and uuid.UUID(firmware.serial)
    assert made.spec.template.metadata.annotations == {"kubevirt.io/pci-topology-version": "v3"}
    assert len(spec.domain.devices.disks) == 2, "nothing else of the template is touched"


def test_defaults_keep_what_is_there_and_settle() -> None:
    made = vm({"spec.template.spec.domain.machine": {"type": "pc-q35-7.2"}, "spec.template.spec.architecture": "amd64"})
    default_vm(made)
    again = copy.deepcopy(made)
    default_vm(again)
    assert again == made
    assert made.spec.template.spec.domain.machine is not None
    assert made.spec.template.spec.domain.machine.type == "pc-q35-7.2"
    instance = vmi()
    default_vmi(instance)
    once = copy.deepcopy(instance)
    default_vmi(instance)
    assert instance == once


def test_an_object_keeps_its_identity_when_it_is_replaced() -> None:
    uid = "5d307ca9-b3ef-428c-8861-06e72d69f223"
    one, two = vm({"metadata.uid": uid}), vm({"metadata.uid": uid})
    default_vm(one)
    default_vm(two)
    assert one == two
    firmware = one.spec.template.spec.domain.firmware
    assert firmware is not None and uuid.UUID(firmware.uuid) and firmware.uuid not in (uid, firmware.serial)
    assert identity("", "uuid") != identity("", "uuid")


def test_two_vms_differ() -> None:
    one, two = vm(), vm()
    default_vm(one)
    default_vm(two)
    assert one.spec.template.spec.domain.firmware != two.spec.template.spec.domain.firmware


def test_the_shortest_vmi() -> None:
    spec = bare({"resources": {"requests": {"memory": "64M"}}}).spec
    cpu, memory, firmware, features = spec.domain.cpu, spec.domain.memory, spec.domain.firmware, spec.domain.features
    assert cpu is not None and (cpu.sockets, cpu.cores, cpu.threads, cpu.model) == (1, 1, 1, "host-model")
    assert cpu.max_sockets == 4
    assert memory is not None and memory.guest == "64M" and memory.max_guest is None
    assert firmware is not None and firmware.uuid and not firmware.serial
    assert features is not None and features.acpi is not None and features.acpi.enabled is True
    [nic] = spec.domain.devices.interfaces
    assert nic.name == "default" and nic.bridge is not None and nic.masquerade is None
    assert [(n.name, n.pod is not None) for n in spec.networks] == [("default", True)]
    assert spec.termination_grace_period_seconds is None


@pytest.mark.parametrize(
    ("domain", "topology", "most"),
    [
        ({"resources": {"limits": {"cpu": "2500m"}}}, (3, 1, 1), 12),
        ({"resources": {"requests": {"cpu": 2}}}, (2, 1, 1), 8),
        ({"resources": {"requests": {"cpu": 2}}, "cpu": {"cores": 4}}, (1, 4, 1), 4),
        ({"resources": {"requests": {"cpu": "100m"}}}, (1, 1, 1), 4),
        ({"cpu": {"sockets": 2, "cores": 100}}, (2, 100, 1), 5),
        ({"cpu": {"sockets": 500}}, (500, 1, 1), 512),
        ({"cpu": {"sockets": 1, "maxSockets": 1}}, (1, 1, 1), 1),
    ],
)
def test_cpu_topology_and_headroom(domain: JsonObject, topology: tuple[int, int, int], most: int) -> None:
    cpu = bare(domain).spec.domain.cpu
    assert cpu is not None and (cpu.sockets, cpu.cores, cpu.threads) == topology and cpu.max_sockets == most


def test_requests_follow_limits_and_memory_follows_both() -> None:
    domain = bare({"resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}).spec.domain
    assert domain.resources.requests == {"cpu": "2"}
    assert domain.memory is not None and domain.memory.guest == "1Gi"
    domain = bare({"memory": {"guest": "2Gi"}, "resources": {"requests": {"memory": "1Gi"}}}).spec.domain
    assert domain.memory is not None and domain.memory.guest == "2Gi"
    domain = bare({"resources": {"requests": {"memory": "wrong"}}}).spec.domain
    assert domain.memory is not None and domain.memory.guest is None


def test_networks_are_only_added_when_none_is_named() -> None:
    assert bare({"devices": {"autoattachPodInterface": False}}).spec.networks == []
    spec = bare({}, networks=[{"name": "n", "pod": {}}]).spec
    assert [n.name for n in spec.networks] == ["n"] and spec.domain.devices.interfaces == []


def test_an_instance_says_which_pci_topology_it_has() -> None:
    made = vmi()
    default_vmi(made)
    assert made.metadata.annotations["kubevirt.io/pci-topology-version"] == "v3"
