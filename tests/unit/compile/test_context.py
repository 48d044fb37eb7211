"""Ids of what a manifest names."""

from __future__ import annotations

from solovirt.compile.context import device_id
from tests.unit.compile.helpers import context


def test_device_id_is_libvirts_user_alias() -> None:
    assert device_id("rootdisk") == "ua-rootdisk"


def test_devices_are_those_of_the_domain() -> None:
    ctx = context("domain: {devices: {rng: {}}}")
    assert ctx.devices is ctx.spec.domain.devices
