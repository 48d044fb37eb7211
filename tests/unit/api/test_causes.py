from solovirt.api.causes import Causes, shown
from solovirt.kit.errors import Cause


def test_each_helper_has_its_reason_and_words() -> None:
    causes = Causes()
    causes.invalid("a", "x", "is wrong")
    causes.required("b")
    causes.required("b", "give one")
    causes.duplicate("c", "x")
    causes.not_supported("d", "x", ("y", "z"))
    causes.known_unsupported("e")
    causes.known_unsupported("e", "arm64")
    causes.forbidden("f", "may not change")
    assert causes.found == [
        Cause("FieldValueInvalid", 'a: Invalid value: "x": is wrong', "a"),
        Cause("FieldValueRequired", "b: Required value", "b"),
        Cause("FieldValueRequired", "b: Required value: give one", "b"),
        Cause("FieldValueDuplicate", 'c: Duplicate value: "x"', "c"),
        Cause("FieldValueNotSupported", 'd: Unsupported value: "x": supported values: "y", "z"', "d"),
        Cause("FieldValueNotSupported", "e: known to KubeVirt, not supported yet", "e"),
        Cause("FieldValueNotSupported", 'e "arm64": known to KubeVirt, not supported yet', "e"),
        Cause("FieldValueForbidden", "f: Forbidden: may not change", "f"),
    ]


def test_values_in_messages_are_short_and_of_one_line() -> None:
    assert shown("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert len(shown("x" * 1000)) < 130
    assert shown(10**5000) == "a number of very many digits"


def test_a_hostile_object_cannot_have_endless_causes() -> None:
    causes = Causes()
    for number in range(1000):
        causes.required(f"items[{number}]")
    assert len(causes.found) == 200
