"""A display for VNC, or none."""

from __future__ import annotations

from solovirt.compile.configurators import graphics
from tests.unit.compile.helpers import run


def attach(value: str) -> str:
    return f"domain: {{devices: {{autoattachGraphicsDevice: {value}}}}}"


def test_display() -> None:
    assert run(graphics.options) == run(graphics.options, attach("true"))
    assert run(graphics.options) == [
        '-audiodev {"id":"audio1","driver":"none"}',
        "-vnc vnc=unix:/run/solovirt/vmi/test/vnc.sock,audiodev=audio1",
        '-device {"driver":"VGA","id":"video0","vgamem_mb":16,"bus":"pcie.0","addr":"0x1"}',
    ]


def test_headless() -> None:
    assert run(graphics.options, attach("false")) == ["-display none"]
