"""Small objects for tests of the API, and the paths under which they live."""

from __future__ import annotations

from typing import Any

from tests.support.asgi import Client

VMS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
VMIS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances"
MAPS = "/api/v1/namespaces/default/configmaps"
SUB = "/apis/subresources.kubevirt.io/v1/namespaces/default"
EXT = "/apis/subresources.solovirt.io/v1/namespaces/default"
TABLE = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "data": data,
    }


def domain() -> dict[str, Any]:
    return {"domain": {"devices": {}, "memory": {"guest": "128Mi"}}}


def vm(name: str = "web", **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {"runStrategy": "Halted", "template": {"spec": domain()}, **spec},
    }


def vmi(name: str = "bare") -> dict[str, Any]:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name},
        "spec": domain(),
    }


async def created(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, body)
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.json()
    return made


async def created_map(client: Client, name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return await created(client, MAPS, config_map(name, labels, **data))
