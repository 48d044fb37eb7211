import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.validation.devices import check_count, check_same_names

from ...samples import only, spec_causes

P = "spec.domain.devices"


def test_good_inputs() -> None:
    assert spec_causes({"domain.devices.inputs": [{"name": "tablet", "type": "tablet", "bus": "virtio"}]}) == []


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        (
            {"domain.devices.inputs": [{"name": "k", "type": "keyboard"}]},
            f"{P}.inputs[0].type",
            "Input device can have only tablet type.",
        ),
        (
            {"domain.devices.inputs": [{"name": "k", "type": "tablet", "bus": "ps2"}]},
            f"{P}.inputs[0].bus",
            "Input device can have only virtio or usb bus.",
        ),
        ({"domain.devices.inputs": [{"name": "a,b", "type": "tablet"}]}, f"{P}.inputs[0].name", "Invalid value"),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == field and message in cause.message
    assert P in cause.message


def test_lists_are_bounded() -> None:
    causes = Causes()
    check_count(causes, range(3), "f", 3)
    assert causes.found == []
    check_count(causes, range(4), "f", 3)
    assert causes.found[0].message == "f: Too many: 4: must have at most 3 items"


def test_every_repeated_name_points_to_the_first() -> None:
    causes = Causes()
    check_same_names(causes, ["a", "b", "a", "a"], "f")
    assert [cause.message for cause in causes.found] == [
        "f[2] and f[0] must not have the same Name.",
        "f[3] and f[0] must not have the same Name.",
    ]
