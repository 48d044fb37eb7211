import pytest

from solovirt.kit import errors
from solovirt.kit.errors import Cause, SolovirtError


def test_text_has_place_and_hint() -> None:
    assert str(errors.Invalid("must be set", field="spec.x", hint="set it")) == "spec.x: must be set (set it)"
    assert str(errors.Invalid("spec.x: must be set", field="spec.x")) == "spec.x: must be set"


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        (errors.BadRequest, 400, "BadRequest"),
        (errors.NotFound, 404, "NotFound"),
        (errors.AlreadyExists, 409, "AlreadyExists"),
        (errors.Conflict, 409, "Conflict"),
        (errors.Expired, 410, "Expired"),
        (errors.Invalid, 422, "Invalid"),
        (errors.HostError, 500, "HostError"),
    ],
)
def test_codes_and_reasons_are_kubernetes(kind: type[SolovirtError], code: int, reason: str) -> None:
    assert (kind.code, kind("x").reason) == (code, reason)


def test_own_reason_and_causes() -> None:
    error = errors.HostError("no", reason="ErrImagePull", causes=[Cause("A", "b", "c")])
    assert error.reason == "ErrImagePull" and error.causes == (Cause("A", "b", "c"),)
