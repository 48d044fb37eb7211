from __future__ import annotations

from solovirt.api.kubevirt.spec.compute import CPU, ResourceRequirements
from solovirt.controllers.vmi.qos import qos_class
from tests.unit.controllers.lab import spec


def test_classes() -> None:
    made = spec()
    assert qos_class(made) == "Burstable"
    made.domain.resources = ResourceRequirements(limits={"cpu": 1, "memory": "64Mi"}, requests={"cpu": "1000m"})
    assert qos_class(made) == "Guaranteed"
    made.domain.resources.requests["cpu"] = "500m"
    assert qos_class(made) == "Burstable"
    made.domain.cpu = CPU(dedicated_cpu_placement=True)
    assert qos_class(made) == "Guaranteed"
