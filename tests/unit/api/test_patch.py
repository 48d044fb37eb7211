import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api import patch
from solovirt.kit.errors import BadRequest, Invalid, UnsupportedMediaType
from solovirt.kit.json import Json, JsonObject, encode

KEYS = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(st.none() | st.integers(0, 3), lambda x: st.lists(x, max_size=2) | st.dictionaries(KEYS, x))
OBJECTS = st.dictionaries(KEYS, JSON, max_size=3)


def merged(original: JsonObject, change: Json) -> JsonObject:
    return patch.apply(patch.MERGE_PATCH, original, encode(change))


@pytest.mark.parametrize(
    ("original", "change", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_examples_of_rfc7396(original: JsonObject, change: JsonObject, result: JsonObject) -> None:
    assert merged(original, change) == result


@given(OBJECTS, OBJECTS)
@settings(max_examples=150)
def test_merge_patch_laws(original: JsonObject, change: JsonObject) -> None:
    before = copy.deepcopy(original)
    once = merged(original, change)
    assert original == before, "the original is not touched"
    assert merged(once, change) == once, "applying twice is applying once"
    assert merged(original, {}) == original


def test_json_patch() -> None:
    original: JsonObject = {"spec": {"list": [1]}}
    operations: Json = [
        {"op": "test", "path": "/spec/list/0", "value": 1},
        {"op": "add", "path": "/spec/list/-", "value": 2},
        {"op": "replace", "path": "/spec/list/0", "value": 0},
        {"op": "copy", "from": "/spec", "path": "/copy"},
        {"op": "remove", "path": "/spec"},
    ]
    assert patch.apply("application/json-patch+json; charset=utf-8", original, encode(operations)) == {
        "copy": {"list": [0, 2]}
    }
    assert original == {"spec": {"list": [1]}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "add", "path": "/missing/-", "value": 2},
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/list/7", "value": 2},
        {"op": "add", "path": "/list/x", "value": 2},
        {"op": "replace", "path": "", "value": 2},
    ],
)
def test_json_patches_that_do_not_fit_are_invalid(operation: JsonObject) -> None:
    with pytest.raises(Invalid):
        patch.apply(patch.JSON_PATCH, {"a": 1, "list": []}, encode([operation]))


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"{}",
        b"1",
        b"[1]",
        b"[null]",
        b'[{"op": "x", "path": "/a"}]',
        b'[{"op": "add"}]',
        b'[{"path": "/a"}]',
        b'[{"op": "add", "path": 1, "value": 1}]',
        b'[{"op": "add", "path": "a", "value": 1}]',
        b"[" * 100_000,
    ],
)
def test_malformed_json_patches(data: bytes) -> None:
    with pytest.raises((BadRequest, Invalid)):
        patch.apply(patch.JSON_PATCH, {"a": 1}, data)


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b"", b"{"])
def test_malformed_merge_patches(data: bytes) -> None:
    with pytest.raises(BadRequest):
        patch.apply(patch.MERGE_PATCH, {}, data)


@pytest.mark.parametrize("media", ["application/strategic-merge-patch+json", "application/apply-patch+yaml", ""])
def test_other_media_types_are_named(media: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="accepted media types include: application/json-patch"):
        patch.apply(media, {}, b"{}")


def test_sizes_are_bounded() -> None:
    with pytest.raises(BadRequest, match="larger than"):
        patch.apply(patch.MERGE_PATCH, {}, b" " * (patch.MAX_BYTES + 1))
    many = encode([{"op": "test", "path": "/a", "value": 1}] * 10_001)
    with pytest.raises(BadRequest, match="allowed maximum operations"):
        patch.apply(patch.JSON_PATCH, {"a": 1}, many)


def test_copies_cannot_grow_an_object_without_limit() -> None:
    bomb: list[Json] = [{"op": "copy", "from": "/a", "path": f"/a/b{number}"} for number in range(40)]
    with pytest.raises(BadRequest, match="copy operations of the patch add more than 3145728 bytes"):
        patch.apply(patch.JSON_PATCH, {"a": {"x": "y" * 100}}, encode(bomb))


def test_depth_is_refused_not_a_crash() -> None:
    down: list[Json] = [{"op": "copy", "from": "/a", "path": "/a" + "/b" * 2**number} for number in range(14)]
    with pytest.raises(BadRequest):
        patch.apply(patch.JSON_PATCH, {"a": {}}, encode(down))
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    try:
        patch.apply(patch.MERGE_PATCH, {}, deep)
    except BadRequest as error:
        assert "deep" in str(error)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/password", "value": "guess"},
        {"op": "replace", "path": "/data/user", "value": "x"},
        {"op": "remove", "path": "/data/password/x/y"},
        {"op": "add", "path": "/list/7", "value": "x"},
    ],
)
def test_messages_do_not_tell_what_is_in_the_object(operation: JsonObject) -> None:
    secret: JsonObject = {"data": {"password": "aHVudGVyMg=="}, "list": ["aHVudGVyMg=="]}
    with pytest.raises((Invalid, BadRequest)) as caught:
        patch.apply(patch.JSON_PATCH, secret, encode([operation]))
    assert "aHVudGVyMg" not in str(caught.value)
    assert "operation 0" in str(caught.value)
