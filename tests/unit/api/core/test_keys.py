import pytest

from solovirt.api.causes import Causes
from solovirt.api.core.keys import MAX_BYTES, check_immutable, check_keys


@pytest.mark.parametrize("key", ["a", "KEY_NAME", "key.name", ".dockerconfigjson", "a..b"])
def test_good_keys(key: str) -> None:
    causes = Causes()
    check_keys(causes, [("data", key)], {key: MAX_BYTES})
    assert causes.found == []


@pytest.mark.parametrize("key", ["", "a/b", "..", ".", "../x", "a b", "x" * 254, "ä"])
def test_keys_that_could_leave_a_directory_are_refused(key: str) -> None:
    causes = Causes()
    check_keys(causes, [("data", key)], {})
    assert [cause.field for cause in causes.found] == [f"data[{key}]"]


def test_all_values_together_are_bounded() -> None:
    causes = Causes()
    check_keys(causes, [], {"a": MAX_BYTES, "b": 1})
    assert causes.found[0].message == "data: Too long: may not be more than 1048576 bytes"


def test_immutable_objects_stay() -> None:
    causes = Causes()
    check_immutable(causes, None, True, {"data": False, "binaryData": True})
    text = "Forbidden: field is immutable when `immutable` is set"
    assert [cause.message for cause in causes.found] == [f"immutable: {text}", f"data: {text}"]
    free = Causes()
    check_immutable(free, True, False, {"data": False})
    check_immutable(free, True, True, {"data": True})
    assert free.found == []
