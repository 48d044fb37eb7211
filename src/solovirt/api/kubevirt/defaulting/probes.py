"""Defaults of livenessProbe and readinessProbe. Source: kubevirt api/core/v1/defaults.go, ``SetDefaults_Probe``."""

from __future__ import annotations

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.probes import Probe

TIMEOUT, PERIOD, SUCCESSES, FAILURES = 1, 10, 1, 3


def default_probes(spec: VirtualMachineInstanceSpec) -> None:
    """Times and thresholds below 1 become KubeVirt's values."""
    for probe in (spec.readiness_probe, spec.liveness_probe):
        if probe is not None:
            _default(probe)


def _default(probe: Probe) -> None:
    probe.timeout_seconds = _at_least_one(probe.timeout_seconds, TIMEOUT)
    probe.period_seconds = _at_least_one(probe.period_seconds, PERIOD)
    probe.success_threshold = _at_least_one(probe.success_threshold, SUCCESSES)
    probe.failure_threshold = _at_least_one(probe.failure_threshold, FAILURES)


def _at_least_one(given: int | None, default: int) -> int:
    return given if given is not None and given >= 1 else default
