from __future__ import annotations

from solovirt.api.kubevirt.defaulting.probes import default_probes
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.probes import GuestAgentPing, Probe


def test_times_and_thresholds_below_one_become_kubevirts() -> None:
    ping = GuestAgentPing()
    spec = VirtualMachineInstanceSpec(
        domain=Domain(),
        readiness_probe=Probe(guest_agent_ping=ping, period_seconds=0),
        liveness_probe=Probe(guest_agent_ping=ping, timeout_seconds=5, failure_threshold=9),
    )
    default_probes(spec)
    assert spec.readiness_probe == Probe(
        guest_agent_ping=ping, timeout_seconds=1, period_seconds=10, success_threshold=1, failure_threshold=3
    )
    assert spec.liveness_probe == Probe(
        guest_agent_ping=ping, timeout_seconds=5, period_seconds=10, success_threshold=1, failure_threshold=9
    )
