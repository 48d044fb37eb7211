from fractions import Fraction

import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.validation.compute import check_compute, check_least
from solovirt.api.registry import VIRTUAL_MACHINES

from ...samples import REMOVED, only, spec_causes, vm

D = "spec.domain"


def test_memory_must_be_asked_for() -> None:
    cause = only(spec_causes({"domain.memory": REMOVED}))
    assert cause.reason == "FieldValueRequired"
    assert cause.message == (
        f"no memory requested, at least one of '{D}.memory.guest', '{D}.memory.hugepages.pageSize' or"
        f" '{D}.resources.requests.memory' must be set"
    )


def test_a_vms_paths_begin_with_its_template() -> None:
    made = vm({"spec.template.spec.domain.memory": REMOVED})
    VIRTUAL_MACHINES.default(made)
    cause = only(VIRTUAL_MACHINES.validate(made, None))
    assert cause.field == "spec.template.spec.domain.memory.guest"
    assert "'spec.template.spec.domain.resources.requests.memory'" in cause.message


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"domain.memory.guest": "128MB"}, f"{D}.memory.guest", "quantities must match the regular expression"),
        ({"domain.memory.guest": "0"}, f"{D}.memory.guest", "must be greater than zero"),
        ({"domain.memory.guest": "-1Gi"}, f"{D}.memory.guest", "must be greater than zero"),
        ({"domain.memory.guest": "1k"}, f"{D}.memory.guest", "'1k': must be greater than or equal to 1M."),
        ({"domain.memory.guest": 128}, f"{D}.memory.guest", "'128': must be greater than or equal to 1M."),
        ({"domain.memory.guest": "9Ei"}, f"{D}.memory.guest", "must be less than 8Ei"),
        ({"domain.memory.maxGuest": "64Mi"}, f"{D}.memory.guest", "greater than the configured maxGuest memory"),
        (
            {"domain.memory": {"guest": "1Gi", "maxGuest": "2000M"}},
            f"{D}.memory.guest",
            "MaxGuest must be 2Mi aligned",
        ),
        (
            {"domain.memory": {"guest": "100Mi", "maxGuest": "2Gi"}},
            f"{D}.memory.guest",
            "Memory hotplug is only available for VMs with at least 128Mi of guest memory",
        ),
        (
            {"domain.memory": {"guest": "3Gi", "maxGuest": "6656Mi", "hugepages": {"pageSize": "1Gi"}}},
            f"{D}.memory.guest",
            "MaxGuest must be 1Gi aligned",
        ),
        (
            {"domain.memory": {"guest": "65Mi", "hugepages": {"pageSize": "2Mi"}}},
            f"{D}.memory.guest",
            f"'65Mi' is not a multiple of the page size {D}.memory.hugepages.pageSize '2Mi'",
        ),
        (
            {"domain.memory": {"guest": "512Mi", "hugepages": {"pageSize": "1Gi"}}},
            f"{D}.memory.guest",
            f"'512Mi' must be equal to or larger than page size {D}.memory.hugepages.pageSize '1Gi'",
        ),
        (
            {"domain.memory": {"guest": "64Mi", "hugepages": {"pageSize": "2"}}},
            f"{D}.memory.hugepages.pageSize",
            'Unsupported value: "2": supported values: "2Mi", "1Gi"',
        ),
        (
            {"domain.memory": {"guest": "64Mi", "hugepages": {"pageSize": "huge"}}},
            f"{D}.memory.hugepages.pageSize",
            "'huge': quantities must match the regular expression",
        ),
        (
            {"domain.memory": {"guest": "64Mi", "reservedOverhead": {"memLock": "yes"}}},
            f"{D}.memory.reservedOverhead.memLock",
            "supported values",
        ),
        (
            {"domain.memory": {"guest": "64Mi", "reservedOverhead": {"addedOverhead": "-1"}}},
            f"{D}.memory.reservedOverhead.addedOverhead",
            "'-1': must be greater than or equal to 0.",
        ),
        ({"domain.chassis": {"asset": "a\nb"}}, f"{D}.chassis.asset", "control characters"),
        ({"domain.chassis": {"sku": "x" * 256}}, f"{D}.chassis.sku", "no more than 255 characters"),
        (
            {"domain.resources.requests": {"memory": "2Gi"}, "domain.resources.limits": {"memory": "1Gi"}},
            f"{D}.resources.requests.memory",
            f"{D}.resources.requests.memory '2Gi' is greater than {D}.resources.limits.memory '1Gi'",
        ),
        ({"domain.resources.requests": {"memory": "1"}}, f"{D}.resources.requests.memory", "equal to 1M."),
        (
            {"domain.resources.requests": {"memory": "-1"}},
            f"{D}.resources.requests.memory",
            "'-1': must be",
        ),
        ({"domain.resources.requests": {"cpu": "x"}}, f"{D}.resources.requests.cpu", "quantities must match"),
        (
            {"domain.resources.requests": {"gpu": 1}},
            f"{D}.resources.requests",
            'Invalid value: "gpu": must be a standard resource for containers or a qualified name',
        ),
        ({"domain.cpu.cores": 0}, f"{D}.cpu.cores", 'Invalid value: "0": must be greater than or equal to 1'),
        ({"domain.cpu.sockets": -1}, f"{D}.cpu.sockets", 'Invalid value: "-1": must be greater than or equal to 1'),
        ({"domain.cpu.cores": 513}, f"{D}.cpu", "sockets x cores x threads is 513, more than 512"),
        ({"domain.cpu.sockets": 4, "domain.cpu.maxSockets": 2}, f"{D}.cpu.sockets", "greater than the maximum sockets"),
        ({"domain.cpu.maxSockets": 400}, f"{D}.cpu.maxSockets", "more than 512"),
        ({"domain.cpu.model": "a,b"}, f"{D}.cpu.model", 'Invalid value: "a,b"'),
        ({"domain.cpu.model": "a\nb"}, f"{D}.cpu.model", 'Invalid value: "a\\nb"'),
        ({"domain.cpu.features": [{"name": "x=y"}]}, f"{D}.cpu.features[0].name", 'Invalid value: "x=y"'),
        (
            {"domain.cpu.features": [{"name": "vmx", "policy": "maybe"}]},
            f"{D}.cpu.features[0].policy",
            "CPU feature 'vmx' uses policy 'maybe' that is not supported.",
        ),
        (
            {"domain.cpu.features": [{"name": "vmx"}, {"name": "vmx"}]},
            f"{D}.cpu.features[1].name",
            'Duplicate value: "vmx"',
        ),
        (
            {"domain.machine": {"type": "virt"}},
            f"{D}.machine.type",
            "is not supported: 'virt' (allowed values: [q35*",
        ),
        ({"domain.machine": {"type": "q35,accel=kvm"}}, f"{D}.machine.type", "is not supported"),
        ({"domain.machine": {"type": "q35\n"}}, f"{D}.machine.type", "is not supported"),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == field and message in cause.message and cause.message.startswith(("no memory", field))


@pytest.mark.parametrize(
    "changes",
    [
        {"domain.machine": {"type": "pc-q35-rhel9.4.0"}},
        {"domain.memory": {"guest": "1Gi", "maxGuest": "4Gi"}},
        {"domain.cpu": {"cores": 512, "model": "host-passthrough", "features": [{"name": "vmx", "policy": "require"}]}},
        {"domain.memory": REMOVED, "domain.resources": {"limits": {"memory": "1Gi", "cpu": "4"}}},
        {"domain.memory": REMOVED, "domain.resources": {"requests": {"memory": 1024000000}}},
        {"domain.memory": {"hugepages": {"pageSize": "2Mi"}}},
        {"domain.memory": {"guest": "64Mi", "reservedOverhead": {"addedOverhead": "1Gi", "memLock": "Required"}}},
        {"domain.memory": {"guest": "2Gi", "maxGuest": "4Gi", "hugepages": {"pageSize": "1Gi"}}},
        {"domain.resources.requests": {"ephemeral-storage": "1Gi", "hugepages-2Mi": 0, "nvidia.com/gpu": 1}},
        {"domain.chassis": {"manufacturer": "A, B", "version": "1", "serial": "x", "asset": "", "sku": "é"}},
    ],
)
def test_good_ones(changes: dict[str, object]) -> None:
    assert spec_causes(changes) == []


def test_all_problems_come_at_once() -> None:
    changes = {"domain.cpu.cores": 0, "domain.memory.guest": "x", "domain.machine": {"type": "pc"}}
    assert {cause.field for cause in spec_causes(changes)} == {
        f"{D}.cpu.cores",
        f"{D}.memory.guest",
        f"{D}.machine.type",
    }


def test_a_zero_request_is_no_request() -> None:
    causes = Causes()
    made = vm(
        {"spec.template.spec.domain.memory": REMOVED, "spec.template.spec.domain.resources.requests": {"memory": 0}}
    )
    check_compute(causes, made.spec.template.spec, "d")
    assert "no memory requested" in causes.found[0].message


def test_the_least_is_one_megabyte() -> None:
    causes = Causes()
    check_least(causes, Fraction(10**6), "1M", "f")
    assert causes.found == []
    check_least(causes, Fraction(10**6 - 1), "999999", "f")
    assert causes.found[0].message == "f '999999': must be greater than or equal to 1M."
