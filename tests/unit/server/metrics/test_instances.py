"""VMIs as metrics."""

from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import GuestOSInfo, InterfaceStatus, VirtualMachineInstance
from solovirt.api.meta import Condition, ObjectMeta
from solovirt.server.metrics import instances
from solovirt.server.metrics.families import Families
from tests.unit.server.metrics.test_scrape import Samples, parsed


def vmi() -> VirtualMachineInstance:
    notes = {"vm.kubevirt.io/os": "debian", "kubevirt.io/cluster-instancetype-name": "u1.small"}
    meta = ObjectMeta(name="web", namespace="ns", uid="u", annotations=notes)
    made = VirtualMachineInstance(metadata=meta, spec=VirtualMachineInstanceSpec(domain=Domain()))
    made.status.node_name, made.status.phase = "node", "Running"
    made.status.guest_os_info = GuestOSInfo(name="Debian", version_id="12", kernel_release="6.1", machine="x86_64")
    return made


def shown(machine: VirtualMachineInstance) -> Samples:
    families = Families()
    instances.add(families, machine)
    return parsed(families.text().decode())


def labels(found: Samples, name: str) -> list[dict[str, str]]:
    return [dict(pairs) for key, pairs in found if key == name]


def test_info() -> None:
    (info,) = labels(shown(vmi()), "kubevirt_vmi_info")
    assert info == {
        "node": "node",
        "namespace": "ns",
        "name": "web",
        "phase": "running",
        "os": "debian",
        "instance_type": "u1.small",
        "guest_os_kernel_release": "6.1",
        "guest_os_arch": "x86_64",
        "guest_os_name": "Debian",
        "guest_os_version_id": "12",
        "outdated": "false",
        "evictable": "true",
    }


@pytest.mark.parametrize(("migratable", "evictable"), [("", False), ("False", False), ("True", True)])
def test_what_shall_migrate_and_cannot(migratable: str, evictable: bool) -> None:
    machine = vmi()
    machine.spec.eviction_strategy = "LiveMigrate"
    if migratable:
        machine.status.conditions = [Condition(type="LiveMigratable", status=migratable)]
    found = shown(machine)
    own = frozenset({("node", "node"), ("namespace", "ns"), ("name", "web")})
    assert found["kubevirt_vmi_non_evictable", own] == (0 if evictable else 1)


def test_addresses() -> None:
    machine = vmi()
    machine.status.interfaces = [
        InterfaceStatus(name="default", ip_address="10.0.2.2", interface_name="eth0"),
        InterfaceStatus(interface_name="docker0"),
        InterfaceStatus(mac="02:00:00:00:00:01"),
    ]
    first, second = sorted(labels(shown(machine), "kubevirt_vmi_status_addresses"), key=lambda found: found["type"])
    assert (first["address"], first["type"], first["vnic_name"]) == ("10.0.2.2", "ExternalInterface", "default")
    assert (second["interface_name"], second["type"]) == ("docker0", "SystemInterface")
