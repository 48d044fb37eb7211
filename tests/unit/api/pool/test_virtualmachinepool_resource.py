from __future__ import annotations

from solovirt.api.pool.virtualmachinepool_resource import RESOURCE
from tests.unit.controllers.replicas.world import pool


def test_names_and_columns() -> None:
    assert RESOURCE.short_names == ("vmpool", "vmpools")
    assert [column.name for column in RESOURCE.columns] == ["Desired", "Current", "Ready", "Age"]


def test_scale() -> None:
    made = pool(None)
    scale = RESOURCE.scale
    assert scale is not None
    assert scale.wanted(made) == 1
    scale.want(made, 0)
    made.status.replicas, made.status.label_selector = 2, "app=web"
    assert (scale.wanted(made), scale.present(made), scale.selector(made)) == (0, 2, "app=web")
    assert RESOURCE.columns[0].cell(made) == 0
