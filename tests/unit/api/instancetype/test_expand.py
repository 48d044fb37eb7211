"""Templates with everything applied."""

from __future__ import annotations

from solovirt.api.instancetype.expand import expanded, template_of
from solovirt.kit.json import clone
from tests.unit.api.instancetype.samples import instancetype, preference, types, vm

LIKED = preference(
    devices={
        "preferredDiskBus": "virtio",
        "preferredInterfaceModel": "e1000e",
        "preferredAutoattachInputDevice": True,
        "preferredInputBus": "virtio",
    }
)


def test_disks_nics_and_inputs_are_there_before_the_preference() -> None:
    made = vm(template={"spec": {"domain": {}, "volumes": [{"name": "root", "emptyDisk": {"capacity": "1Gi"}}]}})
    before = clone(made)
    template, conflicts = template_of(made, types(instancetype(), LIKED))
    assert (made, conflicts) == (before, [])
    devices = template.spec.domain.devices
    assert [(disk.name, disk.disk.bus) for disk in devices.disks if disk.disk is not None] == [("root", "virtio")]
    assert [nic.model for nic in devices.interfaces] == ["e1000e"]
    assert [(device.name, device.type, device.bus) for device in devices.inputs] == [("default-0", "tablet", "virtio")]


def test_a_preference_may_forbid_the_network() -> None:
    liked = preference(devices={"preferredAutoattachPodInterface": False})
    template, _ = template_of(vm(), types(None, liked))
    assert template.spec.networks == []


def test_without_types_nothing_is_applied() -> None:
    made = vm({"memory": {"guest": "1Gi"}})
    assert template_of(made, types())[0] == made.spec.template


def test_the_expanded_vm_needs_no_types() -> None:
    made = vm(instancetype={"name": "small"}, preference={"name": "os"})
    whole, conflicts = expanded(made, types(instancetype(2, "1Gi"), LIKED))
    assert conflicts == []
    assert whole.spec.instancetype is whole.spec.preference is None
    assert whole.status.instancetype_ref is None
    domain = whole.spec.template.spec.domain
    assert domain.cpu is not None
    assert domain.memory is not None
    assert (domain.cpu.sockets, domain.cpu.max_sockets, domain.memory.guest) == (2, 8, "1Gi")
    assert made.spec.instancetype is not None
    _, conflicts = expanded(vm({"memory": {"guest": "1Gi"}}), types(instancetype()))
    assert conflicts == ["spec.template.spec.domain.memory.guest"]
