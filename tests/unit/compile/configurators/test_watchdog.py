"""The watchdog and its action."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import watchdog
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context, objects, run


def text(dog: str) -> str:
    return f"domain: {{devices: {{watchdog: {{name: dog, {dog}}}}}}}"


@pytest.mark.parametrize("action", [*watchdog.ACTIONS, ""])
def test_action(action: str) -> None:
    lines = run(watchdog.options, text(f"i6300esb: {{action: '{action}'}}"))
    assert lines[1] == f"-action watchdog={action or 'reset'}"


def test_it_sits_on_the_bridge() -> None:
    (device,) = objects(watchdog.options(context(text("i6300esb: {}"))))
    assert device == {"driver": "i6300esb", "id": "ua-dog", "bus": "pci-bridge", "addr": "0x1"}


def test_none() -> None:
    assert run(watchdog.options) == []


@pytest.mark.parametrize(("dog", "said"), [("diag288: {}", "s390x"), ("i6300esb: {action: nmi}", '"nmi" is not')])
def test_refused(dog: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        run(watchdog.options, text(dog))
