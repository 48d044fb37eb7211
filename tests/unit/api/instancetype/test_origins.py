"""What an instancetype and a preference filled in, told by the field that names them."""

from __future__ import annotations

from solovirt.api.instancetype.origins import origins
from tests.unit.api.instancetype.samples import instancetype, preference, types, vm

SPEC = "spec.template.spec.domain"
SIZE = ("spec.instancetype.name", "instancetype small")
TASTE = ("spec.preference.name", "preference os")


def test_each_field_names_its_type() -> None:
    named = vm({"devices": {"rng": {}}}, instancetype={"name": "small"}, preference={"name": "os"})
    found = origins(named, types(instancetype(2, "1Gi"), preference(devices={"preferredAutoattachMemBalloon": False})))
    assert found[f"{SPEC}.cpu.sockets"] == SIZE
    assert found[f"{SPEC}.memory.guest"] == SIZE
    assert found[f"{SPEC}.devices.autoattachMemBalloon"] == TASTE
    assert not any(path.startswith(f"{SPEC}.devices.rng") for path in found)


def test_what_the_author_wrote_is_not_in_it() -> None:
    named = vm({"devices": {"autoattachMemBalloon": True}}, preference={"name": "os"})
    found = origins(named, types(None, preference(devices={"preferredAutoattachMemBalloon": False})))
    assert f"{SPEC}.devices.autoattachMemBalloon" not in found


def test_without_types_there_is_nothing() -> None:
    assert origins(vm(), types()) == {}
