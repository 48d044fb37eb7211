"""An instancetype gives its fields, and conflicts with a VM that sets them."""

from __future__ import annotations

import pytest

from solovirt.api.instancetype.apply import Types, apply, conflict_causes, conflict_message, spread_causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.meta import ObjectMeta
from solovirt.kit.json import to_object
from tests.unit.api.instancetype.samples import instancetype, preference, spec

FULL = instancetype(
    4,
    "8Gi",
    cpu={
        "model": "Skylake",
        "dedicatedCPUPlacement": True,
        "isolateEmulatorThread": True,
        "numa": {"guestMappingPassthrough": {}},
        "realtime": {"mask": "0-3"},
        "maxSockets": 8,
    },
    memory_more={"hugepages": {"pageSize": "1Gi"}, "maxGuest": "16Gi"},
    nodeSelector={"zone": "a"},
    schedulerName="mine",
    gpus=[{"name": "gpu", "deviceName": "vendor/gpu"}],
    hostDevices=[{"name": "nic", "deviceName": "vendor/nic"}],
    ioThreadsPolicy="supplementalPool",
    ioThreads={"supplementalPoolThreadCount": 2},
    launchSecurity={"sev": {}},
    annotations={"a": "b"},
)


def applied(given: object, made: VirtualMachineInstanceSpec) -> tuple[list[str], ObjectMeta]:
    meta = ObjectMeta()
    assert given is None or isinstance(given, type(FULL))
    return apply(Types(given), made, meta, "spec.template.spec"), meta


def test_everything_that_an_instancetype_can_give() -> None:
    made = spec()
    conflicts, meta = applied(FULL, made)
    assert conflicts == []
    assert meta.annotations == {"a": "b"}
    assert to_object(made) == {
        "domain": {
            "cpu": {
                "sockets": 4,
                "cores": 1,
                "threads": 1,
                "maxSockets": 8,
                "model": "Skylake",
                "dedicatedCpuPlacement": True,
                "isolateEmulatorThread": True,
                "numa": {"guestMappingPassthrough": {}},
                "realtime": {"mask": "0-3"},
            },
            "memory": {"guest": "8Gi", "maxGuest": "16Gi", "hugepages": {"pageSize": "1Gi"}},
            "devices": {
                "gpus": [{"name": "gpu", "deviceName": "vendor/gpu"}],
                "hostDevices": [{"name": "nic", "deviceName": "vendor/nic"}],
            },
            "resources": {},
            "ioThreadsPolicy": "supplementalPool",
            "ioThreads": {"supplementalPoolThreadCount": 2},
            "launchSecurity": {"sev": {}},
        },
        "nodeSelector": {"zone": "a"},
        "schedulerName": "mine",
    }


@pytest.mark.parametrize(
    ("domain", "field"),
    [
        ({"cpu": {"sockets": 1}}, "cpu.sockets"),
        ({"cpu": {"cores": 1}}, "cpu.cores"),
        ({"cpu": {"threads": 1}}, "cpu.threads"),
        ({"cpu": {"model": "host-passthrough"}}, "cpu.model"),
        ({"cpu": {"dedicatedCpuPlacement": True}}, "cpu.dedicatedCPUPlacement"),
        ({"cpu": {"isolateEmulatorThread": True}}, "cpu.isolateEmulatorThread"),
        ({"cpu": {"numa": {}}}, "cpu.numa"),
        ({"cpu": {"realtime": {}}}, "cpu.realtime"),
        ({"resources": {"requests": {"cpu": 1}}}, "resources.requests.cpu"),
        ({"resources": {"limits": {"cpu": 1}}}, "resources.limits.cpu"),
        ({"memory": {"guest": "1Gi"}}, "memory.guest"),
        ({"memory": {"hugepages": {"pageSize": "2Mi"}}}, "memory.hugepages"),
        ({"memory": {"maxGuest": "2Gi"}}, "memory.maxGuest"),
        ({"resources": {"requests": {"memory": "1Gi"}}}, "resources.requests.memory"),
        ({"resources": {"limits": {"memory": "1Gi"}}}, "resources.limits.memory"),
        ({"ioThreadsPolicy": "auto"}, "ioThreadsPolicy"),
        ({"ioThreads": {"supplementalPoolThreadCount": 1}}, "ioThreads.supplementalPoolThreadCount"),
        ({"launchSecurity": {"snp": {}}}, "launchSecurity"),
        ({"devices": {"gpus": [{"name": "a", "deviceName": "b"}]}}, "devices.gpus"),
        ({"devices": {"hostDevices": [{"name": "a", "deviceName": "b"}]}}, "devices.hostDevices"),
    ],
)
def test_each_conflict_is_named(domain: dict[str, object], field: str) -> None:
    conflicts, _ = applied(FULL, spec(**domain))
    assert conflicts == [f"spec.template.spec.domain.{field}"]


def test_conflicts_outside_of_the_domain() -> None:
    made = spec()
    made.node_selector, made.scheduler_name = {"zone": "b"}, "other"
    meta = ObjectMeta(annotations={"a": "else"})
    assert apply(Types(FULL), made, meta, "spec") == ["spec.nodeSelector", "spec.schedulerName", "annotations.a"]
    assert meta.annotations == {"a": "else"}


def test_messages_are_kubevirts() -> None:
    fields = ["spec.template.spec.domain.memory.guest", "spec.template.spec.domain.cpu.cores"]
    assert conflict_message(fields) == (
        "VM field(s) spec.template.spec.domain.memory.guest, spec.template.spec.domain.cpu.cores"
        " conflicts with selected instance type"
    )
    first = conflict_causes(fields)[0]
    assert (first.reason, first.field) == ("FieldValueInvalid", fields[0])
    assert first.message == f"VM field(s) {fields[0]} conflicts with selected instance type"


def test_fields_that_the_instancetype_leaves_alone_may_be_set() -> None:
    made = spec(cpu={"model": "host-passthrough", "numa": {}}, memory={"hugepages": {"pageSize": "2Mi"}})
    conflicts, _ = applied(instancetype(2, "1Gi"), made)
    assert conflicts == []
    assert made.domain.cpu is not None
    assert (made.domain.cpu.sockets, made.domain.cpu.model) == (2, "host-passthrough")
    assert made.domain.memory is not None
    assert made.domain.memory.hugepages is not None


@pytest.mark.parametrize(
    ("percent", "memory", "asked"), [(50, "8Gi", "4Gi"), (15, "1Gi", "912680576"), (100, "1Gi", "0")]
)
def test_overcommit_asks_for_less(percent: int, memory: str, asked: str) -> None:
    made = spec()
    applied(instancetype(1, memory, memory_more={"overcommitPercent": percent}), made)
    assert made.domain.resources.requests == {"memory": asked}


def test_with_a_conflict_nothing_of_the_preference_is_applied() -> None:
    made = spec(memory={"guest": "1Gi"})
    liked = preference(preferredSubdomain="sub")
    assert apply(Types(FULL, liked), made, ObjectMeta(), "spec") == ["spec.domain.memory.guest"]
    assert made.subdomain == ""


def test_topology_comes_from_the_preference() -> None:
    made = spec()
    assert (
        apply(Types(instancetype(4), preference(cpu={"preferredCPUTopology": "cores"})), made, ObjectMeta(), "") == []
    )
    assert made.domain.cpu is not None
    assert (made.domain.cpu.sockets, made.domain.cpu.cores) == (1, 4)


def test_spread_that_does_not_divide_is_a_cause() -> None:
    (cause,) = spread_causes(Types(instancetype(3), preference(cpu={"preferredCPUTopology": "spread"})))
    assert cause.field == "instancetype.spec.cpu.guest"
    assert spread_causes(Types(None, preference(cpu={"preferredCPUTopology": "spread"}))) == []
    assert not Types()
