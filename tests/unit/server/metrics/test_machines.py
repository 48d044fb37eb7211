"""VMs as metrics."""

from __future__ import annotations

import pytest

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.meta import Condition
from solovirt.kit import json
from solovirt.server.metrics import machines
from solovirt.server.metrics.families import Families
from solovirt.store.objects import Objects
from tests.support.asgi import Client
from tests.unit.server.manifests import VMS, created, vm
from tests.unit.server.metrics.test_instances import labels
from tests.unit.server.metrics.test_scrape import Samples, parsed

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
TIMES = "kubevirt_vm_{}_status_last_transition_timestamp_seconds"
OWN = frozenset({("name", "web"), ("namespace", "default")})


def shown(machine: VirtualMachine, objects: Objects) -> Samples:
    families = Families()
    machines.add(families, machine, objects)
    return parsed(families.text().decode())


@pytest.fixture
async def machine(client: Client, objects: Objects) -> VirtualMachine:
    domain = {
        "devices": {"disks": [{"name": "root", "disk": {}}]},
        "cpu": {"cores": 2},
        "memory": {"guest": "128Mi"},
        "resources": {"requests": {"memory": "256Mi"}, "limits": {"cpu": "1500m"}},
    }
    volumes = [{"name": "root", "persistentVolumeClaim": {"claimName": "data"}}]
    body = vm(template={"spec": {"domain": domain, "volumes": volumes}})
    body["metadata"]["labels"] = {"app.kubernetes.io/name": "shop"}
    await created(client, VMS, body)
    size = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": size}
    await created(client, CLAIMS, claim)
    found: VirtualMachine = json.clone(objects.get(registry.VIRTUAL_MACHINES, "default", "web"))
    found.status.printable_status = "CrashLoopBackOff"
    found.status.conditions = [Condition(type="Ready", status="False", last_transition_time="2026-11-22T20:00:00Z")]
    return found


def test_a_machine(machine: VirtualMachine, objects: Objects) -> None:
    found = shown(machine, objects)
    (info,) = labels(found, "kubevirt_vm_info")
    assert (info["status"], info["status_group"]) == ("crashloopbackoff", "error")
    assert found[TIMES.format("error"), OWN] == 1795377600
    assert [found[TIMES.format(group), OWN] for group in ("starting", "running", "migrating", "non_running")] == [0] * 4
    assert labels(found, "kubevirt_vm_labels") == [{**dict(OWN), "label_app_kubernetes_io_name": "shop"}]
    disk = {("persistentvolumeclaim", "data"), ("volume_mode", "Filesystem"), ("device", "root")}
    assert found["kubevirt_vm_disk_allocated_size_bytes", OWN | disk] == 3 << 30
    limit = {("resource", "cpu"), ("unit", "cores")}
    assert found["kubevirt_vm_resource_limits", OWN | limit] == 1.5
    requests = {
        (found_labels["resource"], found_labels["unit"], found_labels["source"])
        for found_labels in labels(found, "kubevirt_vm_resource_requests")
    }
    assert {("memory", "bytes", "domain"), ("memory", "bytes", "guest"), ("cpu", "cores", "domain")} <= requests


def test_every_status_has_a_group() -> None:
    source = machines.GROUPS
    known = {"Running", "Paused", "Stopped", "Starting", "Stopping", "CrashLoopBackOff", "ErrImagePull"}
    assert known <= {status for statuses in source.values() for status in statuses}
    assert machines.status_group("") == "<unknown>"
