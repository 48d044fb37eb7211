from __future__ import annotations

from solovirt.api.kubevirt.live import placement
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec


def test_where_it_may_run_is_taken_over() -> None:
    wanted, merged = VirtualMachineInstanceSpec(domain=Domain()), VirtualMachineInstanceSpec(domain=Domain())
    wanted.node_selector = {"disk": "fast"}
    placement.take(wanted, merged)
    assert merged.node_selector == {"disk": "fast"}
    wanted.node_selector["disk"] = "slow"
    assert merged.node_selector == {"disk": "fast"}, "nothing is shared"
