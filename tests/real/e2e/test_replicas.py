"""Replica sets and pools as users have them: examples, tables, scaling, an update, and what is left afterwards."""

from __future__ import annotations

import json
import re

import pytest

from solovirt.kit.jsontypes import get_object, get_str
from tests.support.system import DATA_VOLUMES, EXAMPLES, POOLS, REPLICA_SETS, VMIS, VMS, System, wait_until

pytestmark = pytest.mark.real


def row(system: System, kind: str) -> list[str]:
    """The cells of the only object, but its age."""
    return re.split(r"\s{2,}", system.ok("get", kind, "--no-headers").strip())[:-1]


def names(system: System, collection: str) -> list[str]:
    return [get_str(get_object(item, "metadata"), "name") for item in system.items(collection)]


def wait_row(system: System, kind: str, *cells: str) -> None:
    wait_until(lambda: row(system, kind) == list(cells), 120, lambda: f"{cells}: {system.ok('get', 'all')}", 0.3)


def test_example_replicaset(system: System) -> None:
    """examples/replicaset.yaml: two guests; one that is shut down is replaced; up, down, and nothing."""
    said = system.ok("apply", "-f", str(EXAMPLES / "replicaset.yaml"))
    assert said == "virtualmachineinstancereplicaset.kubevirt.io/replicaset created\n"
    assert "NAME         DESIRED   CURRENT   READY   AGE" in system.ok("get", "vmirs")
    wait_row(system, "vmirs", "replicaset", "2", "2", "2")
    first, second = names(system, VMIS)
    assert first.startswith("replicaset") and first != "replicaset"
    scale = json.loads(system.ok("get", "vmirs", "replicaset", "-o", "json"))["status"]
    assert scale["labelSelector"] == "app=replicaset"
    system.wait_agent(first)
    system.sh(first, "(sleep 1; poweroff) > /dev/null 2>&1 &")
    wait_until(lambda: first not in names(system, VMIS), 60, "the guest that ended is gone", 0.2)
    wait_row(system, "vmirs", "replicaset", "2", "2", "2")
    said = system.ok("scale", "vmirs", "replicaset", "--replicas=1")
    assert said == "virtualmachineinstancereplicaset.kubevirt.io/replicaset scaled\n"
    wait_until(lambda: names(system, VMIS) == [second], 60, "the older guest stays", 0.2)
    assert "SuccessfulDelete" in system.ok("describe", "vmirs", "replicaset")
    system.ok("delete", "-f", str(EXAMPLES / "replicaset.yaml"))
    wait_until(lambda: not system.items(VMIS), 60, "its VMIs went with it")


def test_example_pool(system: System) -> None:
    """examples/pool.yaml: numbered VMs with numbered disks; the last goes first; a new template restarts them."""
    system.ok("apply", "-f", str(EXAMPLES / "pool.yaml"))
    wait_row(system, "vmpool", "pool", "2", "2", "2")
    assert names(system, VMS) == ["pool-0", "pool-1"]
    assert names(system, DATA_VOLUMES) == ["pool-data-0", "pool-data-1"]
    system.ok("scale", "vmpool/pool", "--replicas=1")
    wait_until(lambda: names(system, VMS) == ["pool-0"], 60, "the last one goes", 0.2)
    wait_until(lambda: names(system, DATA_VOLUMES) == ["pool-data-0"], 60, "and its disk with it", 0.2)
    before = system.uid("pool-0")
    hostname = {"spec": {"virtualMachineTemplate": {"spec": {"template": {"spec": {"hostname": "renewed"}}}}}}
    system.client.call("PATCH", f"{POOLS}/pool", None, hostname, content_type="application/merge-patch+json")
    wait_until(lambda: system.uid("pool-0") not in ("", before), 60, lambda: system.about("pool-0"), 0.2)
    system.wait_agent("pool-0")
    assert json.loads(system.ok("get", "vmi", "pool-0", "-o", "json"))["spec"]["hostname"] == "renewed"
    assert names(system, DATA_VOLUMES) == ["pool-data-0"]
    old = POOLS.replace("v1beta1", "v1alpha1")
    assert get_str(system.find(old, "pool") or {}, "apiVersion") == "pool.kubevirt.io/v1alpha1"
    system.delete(POOLS, "pool")
    wait_until(lambda: not system.items(VMS), 60, "its VMs went with it")


def test_a_daemon_that_is_killed_while_it_scales(system: System) -> None:
    """Whatever it was doing: afterwards there are as many as are wanted, and as many QEMUs."""
    system.ok("apply", "-f", str(EXAMPLES / "replicaset.yaml"))
    for replicas in (3, 0, 2):
        system.ok("scale", "vmirs", "replicaset", f"--replicas={replicas}")
        system.kill()
        system.start()
    wait_row(system, "vmirs", "replicaset", "2", "2", "2")
    wait_until(lambda: len(system.items(VMIS)) == len(system.qemus()) == 2, 60, "two machines, no more", 0.2)
    assert system.find(REPLICA_SETS, "replicaset") is not None
