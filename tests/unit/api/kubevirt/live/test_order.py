from __future__ import annotations

from solovirt.api.kubevirt.live.order import arrange
from solovirt.api.kubevirt.spec.devices import Filesystem


def test_wanted_order_then_the_rest_as_it_was() -> None:
    items = [Filesystem(name=name) for name in "zbya"]
    assert "".join(item.name for item in arrange(items, ["a", "b", "c"])) == "abzy"
    assert arrange([], ["a"]) == []
