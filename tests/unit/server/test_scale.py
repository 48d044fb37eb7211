from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.asgi import Client
from tests.unit.server.manifests import VMS, created, domain, vm

SETS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstancereplicasets"
POOLS = "/apis/pool.kubevirt.io/v1beta1/namespaces/default/virtualmachinepools"
MERGE = {"content-type": "application/merge-patch+json"}


def replica_set(name: str = "web", **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceReplicaSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": domain()},
            **spec,
        },
    }


def pool(version: str = "v1beta1", **spec: object) -> dict[str, Any]:
    machine = {"metadata": {"labels": {"app": "web"}}, "spec": vm()["spec"]}
    return {
        "apiVersion": f"pool.kubevirt.io/{version}",
        "kind": "VirtualMachinePool",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "virtualMachineTemplate": machine, **spec},
    }


async def test_get(client: Client) -> None:
    made = await created(client, SETS, replica_set(replicas=3))
    body = (await client.get(f"{SETS}/web/scale")).json()
    assert (body["apiVersion"], body["kind"]) == ("autoscaling/v1", "Scale")
    assert body["spec"] == {"replicas": 3}
    assert body["status"] == {"replicas": 0, "selector": ""}
    assert body["metadata"]["name"] == "web" and body["metadata"]["uid"] == made["metadata"]["uid"]
    assert body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_without_replicas_one_is_wanted(client: Client) -> None:
    await created(client, POOLS, pool())
    assert (await client.get(f"{POOLS}/web/scale")).json()["spec"] == {"replicas": 1}


async def test_put_moves_the_generation_and_minds_the_version(client: Client) -> None:
    made = await created(client, POOLS, pool(replicas=1))
    scale = (await client.get(f"{POOLS}/web/scale")).json()
    scale["spec"]["replicas"] = 4
    answer = await client.put(f"{POOLS}/web/scale", scale)
    assert (answer.status, answer.json()["spec"]) == (200, {"replicas": 4})
    now = (await client.get(f"{POOLS}/web")).json()
    assert now["spec"]["replicas"] == 4
    assert now["metadata"]["generation"] == made["metadata"]["generation"] + 1
    stale = await client.put(f"{POOLS}/web/scale", scale)
    assert (stale.status, stale.json()["reason"]) == (409, "Conflict")
    del scale["metadata"]["resourceVersion"]
    assert (await client.put(f"{POOLS}/web/scale", scale)).status == 200


async def test_patch_as_kubectl_does_it(client: Client) -> None:
    await created(client, SETS, replica_set(replicas=1))
    answer = await client.request("PATCH", f"{SETS}/web/scale", {"spec": {"replicas": 2}}, headers=MERGE)
    assert (answer.status, answer.json()["spec"]) == (200, {"replicas": 2})
    dry = await client.request("PATCH", f"{SETS}/web/scale?dryRun=All", {"spec": {"replicas": 9}}, headers=MERGE)
    assert dry.json()["spec"] == {"replicas": 9}
    assert (await client.get(f"{SETS}/web")).json()["spec"]["replicas"] == 2
    stale = {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 3}}
    assert (await client.request("PATCH", f"{SETS}/web/scale", stale, headers=MERGE)).status == 409


async def test_writers_at_the_same_time_all_come_through(client: Client) -> None:
    await created(client, SETS, replica_set(replicas=1))
    write = lambda n: client.request("PATCH", f"{SETS}/web/scale", {"spec": {"replicas": n}}, headers=MERGE)  # noqa: E731
    answers = await asyncio.gather(*(write(n) for n in (2, 3, 4)))
    assert [answer.status for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"spec": {"replicas": -1}}, 422, 'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1'),
        ({"spec": {"replicas": 2**31}}, 422, "must be less than or equal to 2147483647"),
        ({"spec": {"replicas": "many"}}, 400, "not a Scale"),
        ({"spec": {"copies": 1}}, 400, "not a Scale"),
        ({"kind": "VirtualMachine"}, 400, "does not match"),
        ({"metadata": {"name": "other"}}, 400, "does not match the name on the URL"),
    ],
)
async def test_bad_scales(client: Client, body: dict[str, Any], status: int, text: str) -> None:
    await created(client, SETS, replica_set(replicas=1))
    answer = await client.request("PATCH", f"{SETS}/web/scale", body, headers=MERGE)
    assert answer.status == status, answer
    assert text in answer.json()["message"]
    assert (await client.get(f"{SETS}/web")).json()["spec"]["replicas"] == 1


async def test_who_has_no_scale(client: Client) -> None:
    await created(client, VMS, vm())
    assert (await client.get(f"{VMS}/web/scale")).body == b"404 page not found\n"
    assert (await client.get(f"{SETS}/none/scale")).json()["reason"] == "NotFound"
    assert (await client.delete(f"{SETS}/none/scale")).status == 405


async def test_a_kind_in_two_versions(client: Client) -> None:
    """What is written below one version is the same object below the other, in that version's words."""
    old = POOLS.replace("v1beta1", "v1alpha1")
    await created(client, old, pool("v1alpha1"))
    assert (await client.get(f"{old}/web")).json()["apiVersion"] == "pool.kubevirt.io/v1alpha1"
    new = (await client.get(f"{POOLS}/web")).json()
    assert new["apiVersion"] == "pool.kubevirt.io/v1beta1"
    assert (await client.get(old)).json()["items"][0]["apiVersion"] == "pool.kubevirt.io/v1alpha1"
    same = {**pool("v1alpha1"), "metadata": new["metadata"]}
    again = await client.put(f"{old}/web", same)
    assert again.json()["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"], "nothing changed"
    assert (await client.post(POOLS, pool("v1alpha1"))).status == 400
