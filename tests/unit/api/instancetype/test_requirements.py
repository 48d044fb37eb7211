"""What a preference needs at least, told in KubeVirt's words."""

from __future__ import annotations

import pytest

from solovirt.api.instancetype.requirements import check
from tests.unit.api.instancetype.samples import instancetype, preference, spec, types

NEEDS = {"cpu": {"guest": 4}}
CPU = "spec.template.spec.domain.cpu"


def told(text: str) -> str:
    return f"failure checking preference requirements: {text}"


def test_of_an_instancetype() -> None:
    liked = preference(requirements={"cpu": {"guest": 4}, "memory": {"guest": "2Gi"}})
    (cause,) = check(types(instancetype(2), liked), spec())
    assert cause.field == "spec.instancetype"
    assert cause.reason == "FieldValueNotFound"
    assert cause.message == told(
        "insufficient CPU resources of 2 vCPU provided by instance type, preference requires 4 vCPU"
    )
    (cause,) = check(types(instancetype(4, "1Gi"), liked), spec(memory={"guest": "1Gi"}))
    assert cause.message == told(
        "insufficient Memory resources of 1Gi provided by instance type, preference requires 2Gi"
    )
    assert check(types(instancetype(4, "2Gi"), liked), spec(memory={"guest": "2Gi"})) == []


@pytest.mark.parametrize(
    ("cpu", "counts", "fields", "text"),
    [
        ({}, {"sockets": 2}, f"{CPU}.sockets", "2 vCPU provided by VirtualMachine, preference requires 4 vCPU"),
        ({"preferredCPUTopology": "cores"}, {"cores": 3}, f"{CPU}.cores", "3 vCPU"),
        ({"preferredCPUTopology": "threads"}, {"threads": 1}, f"{CPU}.threads", "provided as threads"),
        (
            {"preferredCPUTopology": "any"},
            {"sockets": 1, "cores": 3, "threads": 1},
            f"{CPU}.cores, {CPU}.sockets, {CPU}.threads",
            "provided as cores, sockets and threads",
        ),
        (
            {"preferredCPUTopology": "spread"},
            {"sockets": 1, "cores": 2, "threads": 8},
            f"{CPU}.sockets, {CPU}.cores",
            "provided as SocketsCores",
        ),
    ],
)
def test_of_a_vm(cpu: dict[str, object], counts: dict[str, int], fields: str, text: str) -> None:
    liked = preference(cpu=cpu, requirements=NEEDS)
    (cause,) = check(types(None, liked), spec(cpu=counts))
    assert cause.field == fields
    assert text in cause.message
    assert check(types(None, liked), spec(cpu={name: 4 for name in ("sockets", "cores", "threads")})) == []


def test_no_cpu_at_all_and_memory_of_a_vm() -> None:
    (cause,) = check(types(None, preference(requirements=NEEDS)), spec())
    assert cause.message == told("no CPU resources provided by VirtualMachine, preference requires 4 vCPU")
    liked = preference(requirements={"memory": {"guest": "1Gi"}})
    (cause,) = check(types(None, liked), spec(memory={"guest": "512Mi"}))
    assert cause.field == "spec.template.spec.domain.memory"
    assert "512Mi provided by VirtualMachine, preference requires 1Gi" in cause.message


def test_architecture() -> None:
    made = spec()
    made.architecture = "amd64"
    (cause,) = check(types(None, preference(requirements={"architecture": "arm64"})), made)
    assert cause.message == told("preference requires architecture arm64 but amd64 is being requested")
    assert check(types(None, preference(requirements={"architecture": "amd64"})), made) == []
    assert check(types(None, None), made) == check(types(None, preference()), made) == []
