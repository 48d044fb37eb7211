"""Sets and pools for tests, and what a test asks of them."""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api import registry
from solovirt.api.kubevirt.replicaset import ReplicaSetSpec, VirtualMachineInstanceReplicaSet
from solovirt.api.kubevirt.spec.scheduling import LabelSelector
from solovirt.api.kubevirt.virtualmachine import InstanceTemplate, VirtualMachine, VirtualMachineSpec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.api.pool.virtualmachinepool import MachineTemplate, PoolSpec, VirtualMachinePool
from tests.unit.controllers.lab import VMIS, VMS, Lab, spec

SETS, POOLS = registry.REPLICA_SETS, registry.POOLS
LABELS = {"app": "web"}


def replica_set(replicas: int | None = 3, name: str = "web") -> VirtualMachineInstanceReplicaSet:
    return VirtualMachineInstanceReplicaSet(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ReplicaSetSpec(
            selector=LabelSelector(match_labels=dict(LABELS)),
            template=InstanceTemplate(metadata=ObjectMeta(labels=dict(LABELS)), spec=spec()),
            replicas=replicas,
        ),
    )


def pool(replicas: int | None = 3, strategy: str = "Always") -> VirtualMachinePool:
    inner = InstanceTemplate(metadata=ObjectMeta(labels={"vm": "web"}), spec=spec())
    machine = VirtualMachineSpec(run_strategy=strategy, template=inner)
    return VirtualMachinePool(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=PoolSpec(
            selector=LabelSelector(match_labels=dict(LABELS)),
            virtual_machine_template=MachineTemplate(metadata=ObjectMeta(labels=dict(LABELS)), spec=machine),
            replicas=replicas,
        ),
    )


async def change_set(lab: Lab, change: Callable[[ReplicaSetSpec], None]) -> None:
    def apply(found: VirtualMachineInstanceReplicaSet) -> bool:
        change(found.spec)
        return True

    await lab.objects.modify(SETS, "default", "web", apply)
    await lab.settle()


async def change_pool(lab: Lab, change: Callable[[PoolSpec], None]) -> None:
    def apply(found: VirtualMachinePool) -> bool:
        change(found.spec)
        return True

    await lab.objects.modify(POOLS, "default", "web", apply)
    await lab.settle()


def vmis(lab: Lab) -> list[VirtualMachineInstance]:
    return lab.objects.list(VMIS).items


def vms(lab: Lab) -> list[VirtualMachine]:
    return lab.objects.list(VMS).items


def names(lab: Lab) -> list[str]:
    return [vm.metadata.name for vm in vms(lab)]
