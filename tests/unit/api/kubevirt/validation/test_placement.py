import pytest

from ...samples import only, spec_causes

D = "spec.domain"
NUMA = {"guestMappingPassthrough": {}}
HUGE = {"guest": "64Mi", "hugepages": {"pageSize": "2Mi"}}


def messages(cpu: dict[str, object], **domain: object) -> list[str]:
    changes = {"domain.cpu": cpu, **{f"domain.{name}": value for name, value in domain.items()}}
    return [cause.message for cause in spec_causes(changes)]


def test_isolation_is_for_dedicated_cpus() -> None:
    cause = only(spec_causes({"domain.cpu": {"isolateEmulatorThread": True}}))
    assert cause.field == f"{D}.cpu.isolateEmulatorThread"
    assert cause.message.endswith("IsolateEmulatorThread should be only set in combination with DedicatedCPUPlacement")


@pytest.mark.parametrize(
    ("cpu", "resources", "message"),
    [
        ({}, {"limits": {"cpu": "1500m"}, "requests": {"cpu": 2}}, "provided resources CPU limits must be an interger"),
        (
            {},
            {"limits": {"cpu": 4}, "requests": {"cpu": 2}},
            f"{D}.resources.requests.cpu or {D}.resources.limits.cpu must be equal when DedicatedCPUPlacement is true ",
        ),
        (
            {"cores": 3},
            {"limits": {"cpu": 2}},
            f"{D}.resources.requests.cpu or {D}.resources.limits.cpu must not be provided at the same time with"
            f" {D}.cpu.cores when DedicatedCPUPlacement is true ",
        ),
        (
            {"cores": 1},
            {"limits": {"memory": "2Gi"}, "requests": {"memory": "1Gi"}},
            f"{D}.resources.requests.memory must be equal to {D}.resources.limits.memory",
        ),
        (
            {"threads": 3},
            {},
            f"Not more than two threads must be provided at {D}.cpu.threads (got 3) when DedicatedCPUPlacement is true",
        ),
    ],
)
def test_amounts(cpu: dict[str, object], resources: dict[str, object], message: str) -> None:
    assert message in messages({"dedicatedCpuPlacement": True, **cpu}, resources=resources)


def test_numa() -> None:
    place = f"{D}.cpu.numa.guestMappingPassthrough"
    assert messages({"numa": NUMA}) == [
        f"{D}.cpu.dedicatedCpuPlacement must be set to true when NUMA topology strategy is set in {place}",
        f"{D}.memory.hugepages must be requested when NUMA topology strategy is set in {place}",
    ]
    assert messages({"dedicatedCpuPlacement": True, "numa": NUMA}, memory=HUGE) == []


def test_realtime() -> None:
    assert messages({"realtime": {}}) == [
        f"{D}.cpu.dedicatedCpuPlacement must be set to true when {D}.cpu.realtime is used",
        f"{D}.cpu.numa.guestMappingPassthrough must be defined when {D}.cpu.realtime is used",
    ]
    whole = {"dedicatedCpuPlacement": True, "numa": NUMA, "cores": 4}
    assert messages({**whole, "realtime": {"mask": "0-3,^1"}}, memory=HUGE) == []
    for wrong in ("0-", "all", "0;1", "1," * 200):
        (said,) = messages({**whole, "realtime": {"mask": wrong}}, memory=HUGE)
        assert "must name vCPUs like 0-3,^1" in said


@pytest.mark.parametrize(
    ("cpu", "resources"),
    [
        ({"cores": 2}, {}),
        ({}, {"limits": {"cpu": 2}}),
        ({"cores": 2, "isolateEmulatorThread": True}, {"limits": {"cpu": 2}, "requests": {"cpu": 2}}),
    ],
)
def test_good_ones(cpu: dict[str, object], resources: dict[str, object]) -> None:
    assert messages({"dedicatedCpuPlacement": True, **cpu}, resources=resources) == []
