"""The daemon's own metrics, and what was counted since its start."""

from __future__ import annotations

from solovirt.controllers.tallies import Histogram
from solovirt.server.metrics import own
from solovirt.server.metrics.catalogue import OWN
from solovirt.server.metrics.families import Families
from solovirt.store.objects import Objects
from tests.support.fakes import FakeFigures
from tests.unit.server.metrics.test_instances import labels
from tests.unit.server.metrics.test_scrape import parsed


async def test_all_of_it(objects: Objects) -> None:
    figures, slow = FakeFigures(), Histogram()
    slow.observe(42)
    figures.tallies.between["Running", "Scheduled"] = slow
    figures.tallies.from_creation["Running"] = slow
    figures.tallies.from_deletion["Succeeded"] = slow
    figures.tallies.panicked(("ns", "web"))
    figures.tallies.connected(("ns", "web"))
    families = Families()
    own.add(families, figures, objects)
    found = parsed(families.text().decode())
    scraping = {"solovirt_scrape_duration_seconds", "solovirt_scrape_errors"}
    assert OWN.keys() - scraping <= {name for name, _ in found}
    step = {("phase", "Running"), ("last_phase", "Scheduled"), ("le", "50.0")}
    assert found["kubevirt_vmi_phase_transition_time_seconds_bucket", frozenset(step)] == 1
    assert found["kubevirt_vmi_guest_os_panic_total", frozenset({("namespace", "ns"), ("name", "web")})] == 1
    (info,) = labels(found, "kubevirt_info")
    assert info["kubeversion"].startswith("v1.")
    key = frozenset({("namespace", "ns"), ("name", "web"), ("node", "node")})
    assert found["kubevirt_vmi_last_api_connection_timestamp_seconds", key] == 1000
    assert found["solovirt_process_resident_memory_bytes", frozenset()] > 1 << 20
