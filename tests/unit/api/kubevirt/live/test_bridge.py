from __future__ import annotations

import pytest

from solovirt.api.kubevirt.live.bridge import CONVENTIONAL, has_bridge
from solovirt.compile.configurators import nics
from solovirt.compile.layout import BRIDGE
from tests.unit.compile.helpers import context


@pytest.mark.parametrize(
    "devices",
    [
        "{}",
        "{watchdog: {name: dog, i6300esb: {action: reset}}}",
        "{sound: {name: s, model: ac97}}",
        "{sound: {name: s, model: ich9}}",
        "{useVirtioTransitional: true}",
        "{interfaces: [{name: n, model: e1000, masquerade: {}}]}",
        "{interfaces: [{name: n, model: e1000, masquerade: {}, state: absent}]}",
        "{interfaces: [{name: n, model: e1000e, masquerade: {}}]}",
    ],
)
def test_it_says_what_compile_does(devices: str) -> None:
    networks = ", networks: [{name: n, pod: {}}]" if "interfaces" in devices else ""
    ctx = context(f"{{domain: {{devices: {devices}}}{networks}}}")
    assert has_bridge(ctx.spec) == (BRIDGE in ctx.layout.places)


def test_the_same_models_as_compile() -> None:
    assert set(CONVENTIONAL) == set(nics.CONVENTIONAL)
