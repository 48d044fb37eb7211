"""expand-spec and expand-vm-spec."""

from __future__ import annotations

from solovirt.api import registry
from solovirt.kit.json import JsonObject
from solovirt.store.objects import Objects
from tests.support.asgi import Client
from tests.unit.api.instancetype.samples import make, vm
from tests.unit.server.manifests import SUB

TYPES = registry.CLUSTER_INSTANCETYPES
SPEC: JsonObject = {"cpu": {"guest": 2}, "memory": {"guest": "1Gi"}}


def body(**fields: object) -> JsonObject:
    spec: JsonObject = {"runStrategy": "Halted", "template": {"spec": {"domain": fields}}}  # type: ignore[dict-item]
    return {"metadata": {"name": "web"}, "spec": {**spec, "instancetype": {"name": "small"}}}


async def test_a_stored_vm(client: Client, objects: Objects) -> None:
    await objects.create(TYPES, make(TYPES, "small", SPEC))
    await objects.create(registry.VIRTUAL_MACHINES, vm(instancetype={"name": "small"}))
    answer = await client.get(f"{SUB}/virtualmachines/web/expand-spec")
    assert answer.status == 200
    spec = answer.json()["spec"]
    assert "instancetype" not in spec
    assert spec["template"]["spec"]["domain"]["memory"]["guest"] == "1Gi"
    assert (await client.get(f"{SUB}/virtualmachines/none/expand-spec")).status == 404
    edited = objects.get(registry.VIRTUAL_MACHINES, "default", "web")
    assert edited.spec.instancetype is not None


async def test_a_given_vm(client: Client, objects: Objects) -> None:
    await objects.create(TYPES, make(TYPES, "small", SPEC))
    path = f"{SUB}/expand-vm-spec"
    answer = await client.put(path, body())
    assert answer.status == 200, answer
    assert answer.json()["spec"]["template"]["spec"]["domain"]["cpu"]["sockets"] == 2
    answer = await client.put(path, body(memory={"guest": "1Gi"}))
    assert answer.status == 400
    text = "VM field(s) spec.template.spec.domain.memory.guest conflicts with selected instance type"
    assert text in answer.json()["message"]
    elsewhere = body()
    elsewhere["metadata"] = {"name": "web", "namespace": "other"}
    answer = await client.put(path, elsewhere)
    assert (answer.status, answer.json()["message"]) == (
        400,
        "metadata.namespace: VM namespace must be empty or default",
    )
    assert (await client.get(path)).status == 405
    assert (await client.put(f"{SUB}/expand-nothing", body())).status == 404
