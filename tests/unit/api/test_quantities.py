from fractions import Fraction

import pytest

from solovirt.api.causes import Causes
from solovirt.api.quantities import as_bytes, check_positive, check_storage, checked


def test_as_bytes_is_forgiving() -> None:
    assert [as_bytes(value) for value in (None, "1Ki", "x", 1.5)] == [None, 1024, None, 2]


def test_checked_says_what_is_wrong() -> None:
    causes = Causes()
    assert checked(causes, "1Gi", "f") == 2**30
    assert checked(causes, None, "f") is None
    assert causes.found == []
    assert checked(causes, "1gb", "f") is None
    assert checked(causes, "9Ei", "f") is None
    assert causes.found[0].message.startswith('f: Invalid value: "1gb": quantities must match the regular expression')
    assert causes.found[1].message == 'f: Invalid value: "9Ei": must be less than 8Ei'


@pytest.mark.parametrize("value", [0, "0", "-1Gi"])
def test_positive(value: str | int) -> None:
    causes = Causes()
    assert check_positive(causes, value, "f") is None
    assert causes.found[0].message == f'f: Invalid value: "{value}": must be greater than zero'
    assert check_positive(causes, "1m", "f") == Fraction(1, 1000)


def test_storage() -> None:
    def found(requests: dict[str, str | int | float], limits: dict[str, str | int | float]) -> list[str]:
        causes = Causes()
        check_storage(causes, requests, limits, "r", required=True)
        return [cause.message for cause in causes.found]

    assert found({"storage": "1Gi"}, {"storage": "1Gi"}) == []
    assert found({}, {}) == ["r.requests.storage: Required value"]
    assert found({"storage": "2Gi"}, {"storage": "1Gi"}) == [
        'r.requests.storage: Invalid value: "2Gi": must be less than or equal to storage limit of 1Gi'
    ]
    assert found({"storage": "1", "cpu": 1}, {}) == [
        'r.requests: Unsupported value: "cpu": supported values: "storage"'
    ]
