"""Panic devices."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import panic
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context, objects, run


def text(models: str) -> str:
    return f"domain: {{devices: {{panicDevices: [{models}]}}}}"


def test_isa_and_pci() -> None:
    isa, pci = objects(panic.options(context(text("{}, {model: pvpanic}"))))
    assert (isa["driver"], isa["ioport"]) == ("pvpanic", 0x505)
    assert (pci["driver"], pci["bus"]) == ("pvpanic-pci", "pcie.0")


def test_hyperv_is_a_flag_of_the_cpu() -> None:
    ctx = context(text("{model: isa}, {model: hyperv}"))
    assert [(flag.key, flag.value) for flag in panic.cpu_flags(ctx)] == [("hv-crash", True)]
    assert len(objects(panic.options(ctx))) == 1
    assert panic.cpu_flags(context()) == ()


@pytest.mark.parametrize(("models", "said"), [("{model: x}", '"x" is not'), ("{}, {model: isa}", "already")])
def test_refused(models: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        run(panic.options, text(models))
