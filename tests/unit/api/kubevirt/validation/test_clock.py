import pytest

from ...samples import only, spec_causes

C = "spec.domain.clock"


@pytest.mark.parametrize(
    ("clock", "field", "message"),
    [
        ({"timer": {"hpet": {"tickPolicy": "never"}}}, f"{C}.timer.hpet.tickPolicy", '"merge"'),
        ({"timer": {"pit": {"tickPolicy": "merge"}}}, f"{C}.timer.pit.tickPolicy", '"delay", "catchup", "discard"'),
        ({"timer": {"rtc": {"tickPolicy": "discard"}}}, f"{C}.timer.rtc.tickPolicy", '"delay", "catchup"'),
        ({"timer": {"rtc": {"track": "boot"}}}, f"{C}.timer.rtc.track", '"guest", "wall"'),
        ({"timezone": "../../etc/passwd"}, f"{C}.timezone", "the name of a time zone"),
        ({"timezone": "Europe/Berlin\n"}, f"{C}.timezone", "the name of a time zone"),
        ({"utc": {"offsetSeconds": 10**12}}, f"{C}.utc.offsetSeconds", "must be between"),
    ],
)
def test_each_problem_is_named(clock: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes({"domain.clock": clock}))
    assert cause.field == field and message in cause.message


@pytest.mark.parametrize(
    "clock",
    [
        {"utc": {"offsetSeconds": -86400}},
        {"timezone": "America/Argentina/Buenos_Aires"},
        {"timezone": "Etc/GMT+5", "timer": {"rtc": {"tickPolicy": "catchup", "track": "wall", "present": False}}},
        {"timer": {"hpet": {"present": False}, "pit": {"tickPolicy": "discard"}, "kvm": {}, "hyperv": {}}},
    ],
)
def test_good_ones(clock: dict[str, object]) -> None:
    assert spec_causes({"domain.clock": clock}) == []
