from __future__ import annotations

from solovirt.api.kubevirt.defaulting.lifecycle import default_lifecycle
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec


def test_the_eviction_strategy_is_the_clusters() -> None:
    spec = VirtualMachineInstanceSpec(domain=Domain())
    default_lifecycle(spec)
    assert spec.eviction_strategy == "None"
    spec.eviction_strategy = "LiveMigrate"
    default_lifecycle(spec)
    assert spec.eviction_strategy == "LiveMigrate"
