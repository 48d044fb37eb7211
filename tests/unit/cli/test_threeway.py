from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from solovirt.cli import threeway
from solovirt.kit.jsontypes import Json, JsonObject

leaves = st.one_of(st.integers(), st.text(max_size=3), st.booleans(), st.lists(st.integers(), max_size=2))
objects: st.SearchStrategy[JsonObject] = st.recursive(
    st.dictionaries(st.sampled_from("abc"), leaves, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.one_of(leaves, inner), max_size=3),
    max_leaves=8,
)


def merged(target: JsonObject, patch: JsonObject) -> JsonObject:
    """RFC 7396, written down once more."""
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            before = result.get(key)
            result[key] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[key] = value
    return result


def holds(live: Json, wanted: Json) -> bool:
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(k in live and holds(live[k], v) for k, v in wanted.items())
    return live == wanted


@given(objects, objects, objects)
def test_the_result_holds_all_that_is_wanted(last: JsonObject, live: JsonObject, wanted: JsonObject) -> None:
    assert holds(merged(live, threeway.patch(last, live, wanted)), wanted)


@given(objects, objects)
def test_a_second_apply_changes_nothing(live: JsonObject, wanted: JsonObject) -> None:
    after = merged(live, threeway.patch({}, live, wanted))
    assert threeway.patch(wanted, after, wanted) == {}


def test_what_was_applied_before_and_is_wanted_no_more_goes() -> None:
    assert threeway.patch({"a": 1, "b": {"c": 1}}, {"a": 1, "b": {"c": 1, "d": 2}, "z": 3}, {"b": {}}) == {
        "a": None,
        "b": {"c": None},
    }


def test_what_others_set_stays() -> None:
    assert threeway.patch({}, {"status": {"x": 1}, "a": 1}, {"a": 2}) == {"a": 2}


def test_the_annotation_carries_the_manifest() -> None:
    manifest: JsonObject = {"kind": "X", "metadata": {"name": "a", "annotations": {"k": "v"}}}
    annotated = threeway.with_annotation(manifest)
    assert threeway.last_applied(annotated) == manifest
    assert threeway.with_annotation(annotated) == annotated
    assert threeway.last_applied({"metadata": {"annotations": {threeway.ANNOTATION: "{"}}}) == {}
