"""What holds for every machine."""

from __future__ import annotations

import pytest

from solovirt.compile import checks
from solovirt.compile.options import JsonValue, KeyValues, Option, OptionValue, Prop, Word
from solovirt.compile.reasons import default, manifest
from solovirt.host.model.facts import QemuFacts
from solovirt.kit.errors import HostError, Invalid

QEMU = QemuFacts("/q", (7, 2, 0), devices=frozenset({"VGA"}), objects=frozenset({"rng"}), netdevs=frozenset({"user"}))
ASKED, OURS = manifest("domain.x", "asked"), default("ours")


def problems(*options: tuple[str, OptionValue]) -> list[Invalid | HostError]:
    return list(checks.problems([Option(flag, value, OURS) for flag, value in options], QEMU))


def thing(**props: object) -> JsonValue:
    return JsonValue(tuple(Prop(key.replace("_", "-"), value, ASKED) for key, value in props.items()))  # type: ignore[arg-type]


def test_a_right_machine_has_none() -> None:
    assert not problems(
        ("-S", None),
        ("-device", thing(driver="VGA", id="video0")),
        ("-object", thing(qom_type="rng", id="a")),
        ("-netdev", thing(type="user", id="a")),
        ("-blockdev", thing(driver="file", node_name="a-0-storage")),
    )


@pytest.mark.parametrize(("flag", "key"), [("-device", "driver"), ("-object", "qom_type"), ("-netdev", "type")])
def test_what_qemu_lacks(flag: str, key: str) -> None:
    (asked,) = problems((flag, thing(**{key: "igb"})))
    assert isinstance(asked, Invalid)
    assert asked.causes[0].field == "domain.x" and "QEMU 8.0 or newer" in asked.causes[0].message
    (ours,) = problems((flag, JsonValue((Prop(key.replace("_", "-"), "gone", OURS),))))
    assert isinstance(ours, HostError) and ours.reason == "DeviceMissing" and "apt install" in ours.hint


def test_ids() -> None:
    same = thing(driver="VGA", id="a")
    (twice,) = problems(("-device", same), ("-device", same))
    assert "used twice" in str(twice)
    for bad in ("1a", "a b", "a,b", "é", ""):
        (found,) = problems(("-device", thing(driver="VGA", id=bad)))
        assert "is not an id" in str(found)
    (long,) = problems(("-blockdev", thing(driver="file", node_name="a" * 32)))
    assert "is not an id" in str(long)


def test_control_characters_anywhere() -> None:
    for value in (
        Word("a\nb", ASKED),
        KeyValues("a\nb", ASKED),
        KeyValues("", None, (Prop("k", "a\nb", ASKED),)),
        thing(k=["a\nb"]),
        thing(k={"a\nb": "c"}),
    ):
        (found,) = problems(("-x", value))
        assert isinstance(found, Invalid) and found.causes[0].field == "domain.x"


def test_props_of_any_option() -> None:
    assert checks.props(Option("-S", None, OURS)) == ()
    assert len(checks.props(Option("-device", thing(a=1, b=2), OURS))) == 2


def test_no_comma_can_add_a_property_to_the_cpu() -> None:
    vendor = KeyValues("max", OURS, (Prop("hv-vendor-id", "a,kvm=off", ASKED),))
    (problem,) = problems(("-cpu", vendor))
    assert isinstance(problem, Invalid) and problem.causes[0].field == "domain.x"
    assert not problems(("-smbios", vendor))
