from __future__ import annotations

from solovirt.api import registry
from solovirt.api.core.configmap import ConfigMap
from solovirt.api.meta import KubeObject, ObjectMeta, OwnerReference
from tests.unit.controllers.lab import VMS, Lab, vm

CONFIGS = registry.CONFIG_MAPS


def ref(owner: KubeObject, *, block: bool | None = None) -> OwnerReference:
    return OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        block_owner_deletion=block,
    )


async def make(lab: Lab, name: str, *owners: OwnerReference, finalizers: tuple[str, ...] = ()) -> ConfigMap:
    meta = ObjectMeta(name=name, namespace="default", owner_references=list(owners), finalizers=list(finalizers))
    return await lab.objects.create(CONFIGS, ConfigMap(metadata=meta))


def names(lab: Lab) -> list[str]:
    return [found.metadata.name for found in lab.objects.list(CONFIGS).items]


async def test_dependents_go_with_their_last_owner(lab: Lab) -> None:
    first, second = await make(lab, "first"), await make(lab, "second")
    child = await make(lab, "child", ref(first), ref(second))
    await make(lab, "grandchild", ref(child))
    await lab.objects.delete(CONFIGS, "default", "first")
    await lab.settle()
    assert names(lab) == ["child", "grandchild", "second"]
    await lab.objects.delete(CONFIGS, "default", "second")
    await lab.settle()
    assert names(lab) == []


async def test_orphans_of_the_time_without_a_daemon_go(lab: Lab) -> None:
    owner = await make(lab, "owner")
    await lab.manager.stop()
    await make(lab, "child", ref(owner))
    await lab.objects.delete(CONFIGS, "default", "owner")
    await lab.restart()
    assert names(lab) == []


async def test_a_namesake_of_the_owner_is_not_the_owner(lab: Lab) -> None:
    owner = await make(lab, "owner")
    false = ref(owner)
    false.uid = "somebody-else"
    await make(lab, "child", false)
    await lab.restart()
    assert names(lab) == ["owner"]


async def test_owners_of_unknown_kinds_are_left_alone(lab: Lab) -> None:
    await make(lab, "child", OwnerReference(api_version="apps/v1", kind="Deployment", name="d", uid="1"))
    await lab.restart()
    assert names(lab) == ["child"]


async def test_orphaning(lab: Lab) -> None:
    owner = await make(lab, "owner")
    await make(lab, "child", ref(owner))
    await lab.objects.delete(CONFIGS, "default", "owner", propagation="Orphan")
    await lab.settle()
    assert names(lab) == ["child"]


async def test_foreground_waits_for_those_that_block(lab: Lab) -> None:
    owner = await make(lab, "owner")
    await make(lab, "blocks", ref(owner, block=True), finalizers=("test.io/hold",))
    await make(lab, "does-not", ref(owner))
    await lab.objects.delete(CONFIGS, "default", "owner", propagation="Foreground")
    await lab.settle()
    assert names(lab) == ["blocks", "does-not", "owner"]

    def release(found: ConfigMap) -> bool:
        found.metadata.finalizers = []
        return True

    await lab.objects.modify(CONFIGS, "default", "blocks", release)
    await lab.settle()
    assert names(lab) == []


async def test_a_vm_in_the_foreground(lab: Lab) -> None:
    await lab.objects.create(VMS, vm())
    await lab.settle()
    await lab.objects.delete(VMS, "default", "vm", propagation="Foreground")
    await lab.settle()
    assert lab.objects.find(VMS, "default", "vm") is None
    assert not lab.host.alive
