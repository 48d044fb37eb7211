from __future__ import annotations

from datetime import UTC

from solovirt.controllers.site import utc_now
from tests.unit.controllers.lab import Lab


def test_time(lab: Lab) -> None:
    assert utc_now().tzinfo is UTC
    assert lab.manager._site.now() == lab.clock.text() == "2026-01-02T03:04:05Z"
