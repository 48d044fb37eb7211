"""The table of sizes gives what kubevirt/common-instancetypes has."""

from __future__ import annotations

import pytest

from solovirt.api.instancetype.instancetype import validate
from solovirt.api.instancetype.shipped.instancetypes import instancetypes
from solovirt.kit.json import to_json

ALL = {made.metadata.name: made for made in instancetypes()}
QUIET = {f"{name}.crio.io": "disable" for name in ("cpu-load-balancing", "cpu-quota", "irq-load-balancing")}


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("u1.nano", {"cpu": {"guest": 1}, "memory": {"guest": "512Mi"}}),
        ("u1.2xmedium", {"cpu": {"guest": 2}, "memory": {"guest": "4Gi"}}),
        ("u1.8xlarge", {"cpu": {"guest": 32}, "memory": {"guest": "128Gi"}}),
        ("o1.large", {"cpu": {"guest": 2}, "memory": {"guest": "8Gi", "overcommitPercent": 50}}),
        ("m1.xlarge1gi", {"cpu": {"guest": 4}, "memory": {"guest": "32Gi", "hugepages": {"pageSize": "1Gi"}}}),
        (
            "cx1.large",
            {
                "cpu": {
                    "guest": 2,
                    "maxSockets": 2,
                    "dedicatedCPUPlacement": True,
                    "isolateEmulatorThread": True,
                    "numa": {"guestMappingPassthrough": {}},
                },
                "memory": {"guest": "4Gi", "hugepages": {"pageSize": "2Mi"}},
                "ioThreadsPolicy": "auto",
            },
        ),
        (
            "n1.2xlarge",
            {
                "cpu": {"guest": 16, "dedicatedCPUPlacement": True, "isolateEmulatorThread": True},
                "memory": {"guest": "32Gi", "hugepages": {"pageSize": "1Gi"}},
                "annotations": QUIET,
            },
        ),
        (
            "rt1.medium",
            {
                "cpu": {
                    "guest": 1,
                    "dedicatedCPUPlacement": True,
                    "isolateEmulatorThread": True,
                    "numa": {"guestMappingPassthrough": {}},
                    "realtime": {},
                },
                "memory": {"guest": "4Gi", "hugepages": {"pageSize": "1Gi"}},
                "annotations": QUIET,
            },
        ),
    ],
)
def test_values(name: str, spec: dict[str, object]) -> None:
    assert to_json(ALL[name].spec) == spec


def test_all_of_them() -> None:
    series = [name.partition(".")[0] for name in ALL]
    assert {name: series.count(name) for name in series} == {
        "u1": 10, "o1": 9, "cx1": 12, "m1": 10, "n1": 6, "rt1": 8, "d1": 10,
    }  # fmt: skip
    assert all(validate(made, None) == [] for made in ALL.values())
    labels = ALL["u1.small"].metadata.labels
    assert labels["instancetype.kubevirt.io/memory"] == "2Gi"
    assert labels["instancetype.kubevirt.io/vendor"] == "solovirt.io"
