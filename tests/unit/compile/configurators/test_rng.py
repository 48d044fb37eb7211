"""Randomness."""

from __future__ import annotations

from solovirt.compile.configurators import rng
from tests.unit.compile.helpers import context, objects


def test_rng() -> None:
    ctx = context("domain: {devices: {rng: {}}}")
    (source,) = objects(rng.options(ctx), "-object")
    (device,) = objects(rng.options(ctx))
    assert source == {"qom-type": "rng-random", "id": "objrng0", "filename": "/dev/urandom"}
    assert (device["rng"], device["driver"]) == ("objrng0", "virtio-rng-pci-non-transitional")


def test_none() -> None:
    assert not list(rng.options(context())) and not list(rng.endpoints(context()))
