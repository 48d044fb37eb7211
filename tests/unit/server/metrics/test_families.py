"""Samples as Prometheus' text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from solovirt.server.metrics.families import Families, label_name

CPU, RSS = "kubevirt_vmi_cpu_usage_seconds_total", "kubevirt_vmi_memory_resident_bytes"
STEPS = "kubevirt_vmi_phase_transition_time_seconds"


def test_counters_and_gauges() -> None:
    families = Families()
    families.add(CPU, {"name": "web", "node": ""}, 1.5)
    families.add(RSS, {"name": "web"}, 4096)
    families.add(RSS, {"name": "unknown"}, None)
    lines = families.text().decode().splitlines()
    assert f"# TYPE {CPU} counter" in lines
    assert f'{CPU}{{name="web"}} 1.5' in lines
    assert f"# TYPE {RSS} gauge" in lines
    assert f'{RSS}{{name="web"}} 4096.0' in lines
    assert "unknown" not in "".join(lines)
    assert any(line.startswith(f"# HELP {CPU} Total CPU") for line in lines)


def test_histograms_are_cumulative() -> None:
    families = Families()
    families.add_histogram(STEPS, {"phase": "Running"}, (0.5, 2), (1, 2, 3), 40.5)
    samples = [line for line in families.text().decode().splitlines() if not line.startswith("#")]
    assert samples == [
        f'{STEPS}_bucket{{le="0.5",phase="Running"}} 1.0',
        f'{STEPS}_bucket{{le="2.0",phase="Running"}} 3.0',
        f'{STEPS}_bucket{{le="+Inf",phase="Running"}} 6.0',
        f'{STEPS}_count{{phase="Running"}} 6.0',
        f'{STEPS}_sum{{phase="Running"}} 40.5',
    ]


def test_what_is_in_no_catalogue_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Families().add("kubevirt_vmi_made_up", {}, 1)


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_no_label_breaks_the_text(value: str) -> None:
    families = Families()
    families.add(RSS, {"name": value, "namespace": "x"}, 1)
    (family,) = text_string_to_metric_families(families.text().decode())
    (sample,) = family.samples
    assert sample.labels["namespace"] == "x"
    assert sample.value == 1
    assert "\n" not in sample.labels.get("name", "")


def test_no_two_samples_have_the_same_labels() -> None:
    families = Families()
    for name in ("/data", "/da\x1bta", "/data\x00"):
        families.add(RSS, {"name": name, "node": ""}, len(name))
    lines = [line for line in families.text().decode().splitlines() if not line.startswith("#")]
    assert lines == [f'{RSS}{{name="/data"}} 5.0'], "Prometheus refuses such an answer; a guest chose these names"


def test_names_of_labels() -> None:
    assert label_name("app.kubernetes.io/name") == "app_kubernetes_io_name"
