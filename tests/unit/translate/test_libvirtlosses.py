"""What a domain does not say is told, each by its name."""

from __future__ import annotations

import pytest

from solovirt.compile import render
from solovirt.translate import libvirt
from tests.golden import cases


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("-object iothread,id=t1", "-object iothread,id=t1"),
        ("-machine q35,graphics=off", "-machine graphics=off"),
        ("-cpu host,hv-crash=on", "-cpu hv-crash=on"),
        ("-rtc base=2026-01-01", "-rtc base=2026-01-01"),
        ("-overcommit mem-lock=on", "-overcommit mem-lock=on"),
        ("-acpitable file=x", "-acpitable file=x"),
        ("-device ide-cd,id=a", "tray of a"),
        ("-device pvpanic-pci,id=p", "-device pvpanic-pci,id=p"),
        ("-global virtio-blk.x=1", "-global virtio-blk.x=1"),
        ("-numa node,nodeid=1", "-numa node,nodeid=1"),
    ],
)
def test_each_is_named(words: str, what: str) -> None:
    assert what in [loss.what for loss in libvirt.write(words.split(), "a").losses]


def test_a_usual_machine_loses_little() -> None:
    losses = libvirt.write(render.argv(cases.load("minimal").machine()), "a").losses
    assert [loss.what for loss in losses] == ["addresses of ua-default", "device virtiomem0"]
