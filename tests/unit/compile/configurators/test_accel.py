"""The accelerator is a fact of the host."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import accel
from solovirt.kit.errors import HostError
from tests.golden.cases import Host, host_facts
from tests.unit.compile.helpers import context, run


@pytest.mark.parametrize("name", ["kvm", "tcg"])
def test_accel(name: str) -> None:
    assert run(accel.options, accel=name) == [f"-accel {name}"]


def test_the_reason_is_the_probes() -> None:
    ctx = context(facts=host_facts(Host(accel="tcg", accel_reason="KVM probe did not finish within 2 s")))
    (option,) = accel.options(ctx)
    assert option.why.text == "software emulation: KVM probe did not finish within 2 s"


def test_unknown() -> None:
    with pytest.raises(HostError, match='"hvf"'):
        run(accel.options, facts=msgspec.structs.replace(host_facts(), accel="hvf"))
