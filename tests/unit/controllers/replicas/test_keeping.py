"""Which pools keep disks; that they do is shown in test_pools."""

from __future__ import annotations

import pytest

from solovirt.api.pool.virtualmachinepool import OpportunisticScaleIn, ProactiveScaleIn, ScaleInStrategy
from solovirt.controllers.replicas.keeping import keeps_after_deletion
from tests.unit.controllers.replicas.world import pool


@pytest.mark.parametrize(
    ("strategy", "keeps"),
    [
        (None, False),
        (ScaleInStrategy(), False),
        (ScaleInStrategy(opportunistic=OpportunisticScaleIn()), False),
        (ScaleInStrategy(opportunistic=OpportunisticScaleIn(state_preservation="Disabled")), False),
        (ScaleInStrategy(opportunistic=OpportunisticScaleIn(state_preservation="Offline")), True),
        (ScaleInStrategy(opportunistic=OpportunisticScaleIn(state_preservation="Online")), True),
        (ScaleInStrategy(proactive=ProactiveScaleIn(state_preservation="Offline")), False),
    ],
)
def test_deletions_by_others(strategy: ScaleInStrategy | None, keeps: bool) -> None:
    made = pool()
    made.spec.scale_in_strategy = strategy
    assert keeps_after_deletion(made) is keeps
