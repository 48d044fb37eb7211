"""A display for VNC, or none."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile.configurators import graphics
from solovirt.compile.context import Context
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context, objects, run


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


EFI = "firmware: {bootloader: {efi: {secureBoot: false}}}"


@pytest.mark.parametrize(
    ("kind", "driver"),
    [
        ("virtio", "virtio-vga"),
        ("vga", "VGA"),
        ("bochs", "bochs-display"),
        ("cirrus", "cirrus-vga"),
        ("ramfb", "ramfb"),
    ],
)
def test_each_type(kind: str, driver: str) -> None:
    (device,) = objects(graphics.options(context(f"domain: {{devices: {{video: {{type: {kind}}}}}}}")))
    assert device["driver"] == driver
    assert ("addr" in device) == (kind != "ramfb")


def test_efi_guests_get_bochs_unless_annotated() -> None:
    ctx = context(f"domain: {{{EFI}}}")
    assert objects(graphics.options(ctx))[0]["driver"] == "bochs-display"
    bindings = msgspec.structs.replace(ctx.bindings, annotations={graphics.VGA_FOR_EFI: "True"})
    annotated = Context(ctx.spec, ctx.facts, bindings, ctx.layout)
    assert objects(graphics.options(annotated))[0]["driver"] == "VGA"


@pytest.mark.parametrize(
    ("devices", "said"),
    [("video: {type: qxl}", '"qxl" is not'), ("video: {}, autoattachGraphicsDevice: no", "leave")],
)
def test_refused(devices: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        run(graphics.options, f"domain: {{devices: {{{devices}}}}}")
