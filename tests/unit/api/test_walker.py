import msgspec
import pytest

from solovirt.api.meta import Model
from solovirt.api.walker import got, walk
from solovirt.kit.json import Json, JsonObject


class Inner(Model):
    __known_unsupported__ = frozenset({"later"})

    name: str
    flag: bool | None = None


class Outer(Model):
    count: int = 0
    ratio: float = 0.0
    size: str | int | float | None = None
    inner: Inner | None = None
    items: list[Inner] = msgspec.field(default_factory=list)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    free: dict[str, object] = msgspec.field(default_factory=dict)


def found(value: JsonObject) -> list[tuple[str, str]]:
    return [(finding.kind, finding.message) for finding in walk(Outer, value)[1]]


def test_a_fitting_value_is_kept() -> None:
    value: JsonObject = {"count": 1, "ratio": 2, "size": "1Gi", "items": [{"name": "a"}], "free": {"x": [None]}}
    assert walk(Outer, value) == (value, [])


def test_nulls_and_unknown_fields_are_left_out() -> None:
    cleaned, findings = walk(Outer, {"count": None, "inner": {"name": "a", "x": 1}, "labels": {"a": None, "b": "c"}})
    assert cleaned == {"inner": {"name": "a"}, "labels": {"b": "c"}}
    assert [finding.path for finding in findings] == ["inner.x"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"count": "1"}, 'count: expected an integer, got the string "1"'),
        ({"count": True}, "count: expected an integer, got true"),
        ({"count": 1.5}, "count: expected an integer, got the number 1.5"),
        ({"ratio": False}, "ratio: expected a number, got false"),
        ({"size": []}, "size: expected a string or an integer or a number, got a list"),
        ({"inner": []}, "inner: expected an object, got a list"),
        ({"items": {}}, "items: expected a list, got an object"),
        ({"items": [None]}, "items[0]: expected an object, got null"),
        ({"items": [{"name": "a", "flag": 1}]}, "items[0].flag: expected true or false, got the number 1"),
        ({"labels": {"a.b/c": 1}}, "labels[a.b/c]: expected a string, got the number 1"),
    ],
)
def test_wrong_types(value: JsonObject, message: str) -> None:
    assert found(value) == [("type", message)]


def test_unsupported_is_not_unknown() -> None:
    assert found({"inner": {"name": "a", "later": {}}}) == [
        ("unsupported", "inner.later: known to KubeVirt, not supported yet")
    ]
    assert found({"inner": {"name": "a", "later": None}}) == []
    assert found({"inner": {"name": "a", "latr": 1}}) == [
        ("unknown", 'unknown field "inner.latr", did you mean "inner.later"?')
    ]


def test_findings_are_bounded() -> None:
    many: list[Json] = [1] * 500
    assert len(walk(Outer, {"items": many})[1]) == 100


def test_names_are_guessed_for_findings_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each guess takes long: a hundred thousand unknown fields must not hold up everybody else."""
    guesses: list[str] = []
    monkeypatch.setattr("solovirt.api.walker.nearest", lambda word, known: guesses.append(word))
    assert len(walk(Outer, {f"x{number}": 1 for number in range(1000)})[1]) == 100
    assert len(guesses) == 100


def test_values_for_people() -> None:
    assert [got(value) for value in (None, "x", 1, {}, [])] == [
        "null",
        'the string "x"',
        "the number 1",
        "an object",
        "a list",
    ]
