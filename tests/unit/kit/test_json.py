import msgspec
import pytest

from solovirt.api.meta import ObjectMeta
from solovirt.kit import json


def test_decodes_any_document_and_objects() -> None:
    assert json.decode(b"[1, null]") == [1, None]
    assert json.decode_object('{"a": 1}') == {"a": 1}
    for data in (b"[]", b"{", b""):
        with pytest.raises(ValueError):
            json.decode_object(data)


def test_structs_both_ways() -> None:
    meta = ObjectMeta(name="a", labels={"x": "y"})
    plain = json.to_object(meta)
    assert plain == {"name": "a", "labels": {"x": "y"}}
    assert json.convert(plain, ObjectMeta) == meta
    assert json.decode(json.encode(meta)) == json.to_json(meta) == plain
    with pytest.raises(msgspec.ValidationError):
        json.convert({"name": 1}, ObjectMeta)
    with pytest.raises(TypeError):
        json.to_object([1])


def test_clone_shares_nothing() -> None:
    meta = ObjectMeta(labels={"x": "y"})
    json.clone(meta).labels["x"] = "z"
    assert meta.labels == {"x": "y"}


def test_pretty_is_indented() -> None:
    assert json.pretty({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'


def test_as_any_is_the_same_object() -> None:
    value = object()
    assert json.as_any(value) is value
