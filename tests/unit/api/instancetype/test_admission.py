"""VMs with types as the store admits them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from solovirt.api import registry
from solovirt.kit.errors import BadRequest, Invalid
from solovirt.kit.json import JsonObject
from solovirt.store.objects import Objects
from tests.unit.api.instancetype.samples import make, vm

VMS = registry.VIRTUAL_MACHINES
SMALL: JsonObject = {"cpu": {"guest": 2}, "memory": {"guest": "1Gi"}}


@pytest.fixture
async def objects(tmp_path: Path) -> AsyncIterator[Objects]:
    opened = Objects.open(tmp_path / "solovirt.db")
    await opened.create(registry.CLUSTER_INSTANCETYPES, make(registry.CLUSTER_INSTANCETYPES, "small", SMALL))
    liked: JsonObject = {
        "machine": {"preferredMachineType": "pc-q35-7.2"},
        "volumes": {"preferredStorageClassName": "fast"},
        "requirements": {"cpu": {"guest": 2}},
    }
    await opened.create(registry.CLUSTER_PREFERENCES, make(registry.CLUSTER_PREFERENCES, "os", liked))
    yield opened
    await opened.close()


async def refusal(objects: Objects, *args: object, **fields: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        await objects.create(VMS, vm(*args, **fields))
    return [(cause.field, cause.message) for cause in caught.value.causes]


async def test_memory_comes_from_the_instancetype_and_is_not_stored(objects: Objects) -> None:
    stored = await objects.create(VMS, vm(instancetype={"name": "small"}))
    assert stored.spec.template.spec.domain.memory is None
    assert stored.spec.template.spec.domain.cpu is None


@pytest.mark.parametrize("field", ["guest", "hugepages"])
async def test_upstreams_broken_examples_conflict(objects: Objects, field: str) -> None:
    value = "128Mi" if field == "guest" else {"pageSize": "2Mi"}
    if field == "hugepages":
        await objects.create(VMS, vm({"memory": {field: value}}, instancetype={"name": "small"}))
        return
    place = "spec.template.spec.domain.memory.guest"
    text = f"VM field(s) {place} conflicts with selected instance type"
    assert await refusal(objects, {"memory": {field: value}}, instancetype={"name": "small"}) == [(place, text)]


async def test_conflicts_are_refused_on_update_too(objects: Objects) -> None:
    stored = await objects.create(VMS, vm({"memory": {"guest": "1Gi"}}))
    stored.spec.instancetype = vm(instancetype={"name": "small"}).spec.instancetype
    with pytest.raises(Invalid, match="conflicts with selected instance type"):
        await objects.update(VMS, stored)


async def test_an_unknown_instancetype(objects: Objects) -> None:
    found = await refusal(objects, instancetype={"name": "smal"})
    assert [field for field, _ in found] == ["spec.instancetype", "spec.template.spec.domain.memory.guest"]
    assert "\"smal\" not found (did you mean 'small'?)" in found[0][1]
    assert found[1][1].startswith("no memory requested, at least one of 'spec.template.spec.domain.memory.guest'")
    # With memory of its own it is let in, and the controller tells.
    await objects.create(VMS, vm({"memory": {"guest": "1Gi"}}, instancetype={"name": "smal"}))


async def test_a_preference_fills_in_what_a_vm_gets_when_it_is_written(objects: Objects) -> None:
    template = {
        "metadata": {"name": "disk"},
        "spec": {
            "source": {"blank": {}},
            "storage": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        },
    }
    made = vm(
        instancetype={"name": "small"},
        preference={"name": "os"},
        dataVolumeTemplates=[template],
        template={"spec": {"domain": {}, "volumes": [{"name": "root", "dataVolume": {"name": "disk"}}]}},
    )
    stored = await objects.create(VMS, made)
    assert stored.spec.template.spec.domain.machine is not None
    assert stored.spec.template.spec.domain.machine.type == "pc-q35-7.2"
    storage = stored.spec.data_volume_templates[0].spec.storage
    assert storage is not None
    assert storage.storage_class_name == "fast"


async def test_requirements(objects: Objects) -> None:
    found = await refusal(objects, {"memory": {"guest": "1Gi"}, "cpu": {"sockets": 1}}, preference={"name": "os"})
    assert found[0][0] == "spec.template.spec.domain.cpu.sockets"
    assert found[0][1].startswith("failure checking preference requirements: insufficient CPU resources of 1 vCPU")


async def test_an_unknown_preference_is_let_in(objects: Objects) -> None:
    await objects.create(VMS, vm({"memory": {"guest": "1Gi"}}, preference={"name": "nothing"}))


async def test_spread_that_does_not_divide(objects: Objects) -> None:
    spec: JsonObject = {"cpu": {"preferredCPUTopology": "spread", "spreadOptions": {"ratio": 3}}}
    await objects.create(registry.PREFERENCES, make(registry.PREFERENCES, "wide", spec))
    liked = {"name": "wide", "kind": "VirtualMachinePreference"}
    ((field, text),) = await refusal(objects, instancetype={"name": "small"}, preference=liked)
    assert field == "instancetype.spec.cpu.guest"
    assert text.startswith("2 vCPUs provided by the instance type are not divisible")


async def test_a_matcher_without_anything(objects: Objects) -> None:
    found = await refusal(objects, instancetype={})
    assert any("Either Name or InferFromVolume should be provided" in text for _, text in found)


async def test_nothing_to_infer_from(objects: Objects) -> None:
    with pytest.raises(BadRequest, match="unable to find volume root to infer defaults"):
        await objects.create(VMS, vm(instancetype={"inferFromVolume": "root"}))


async def test_applied_fields_are_judged(objects: Objects) -> None:
    spec: JsonObject = {"cpu": {"guest": 600}, "memory": {"guest": "1Gi"}}
    await objects.create(registry.INSTANCETYPES, make(registry.INSTANCETYPES, "huge", spec))
    found = await refusal(objects, instancetype={"name": "huge", "kind": "VirtualMachineInstancetype"})
    assert any(field.startswith("spec.template.spec.domain.cpu") for field, _ in found)
