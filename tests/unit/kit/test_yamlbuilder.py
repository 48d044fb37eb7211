import pytest

from solovirt.kit import yaml
from solovirt.kit.errors import BadRequest
from solovirt.kit.yamlbuilder import MAX_DEPTH


def value(text: str) -> object:
    [document] = yaml.load_all(text)
    return document.value


def problem(text: str) -> str:
    with pytest.raises(BadRequest) as caught:
        yaml.load_all(text, source="f")
    return str(caught.value)


def test_anchors_are_copied() -> None:
    loaded = value("a: &x {b: [1]}\nc: *x\n")
    assert loaded == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert isinstance(loaded, dict) and loaded["a"] is not loaded["c"]


def test_merge_keys() -> None:
    assert value("a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\nc: {<<: [*a, *b], m: 3}") == {
        "a": {"k": 1, "l": 1},
        "b": {"l": 2, "m": 2},
        "c": {"k": 1, "l": 1, "m": 3},
    }


def test_keys_become_strings_as_in_sigs_yaml() -> None:
    assert value("1: a\ntrue: b\n1.5: c\n'2': d") == {"1": "a", "true": "b", "1.5": "c", "2": "d"}


def test_an_alias_can_be_a_key() -> None:
    assert value("a: &k name\n*k : 1") == {"a": "name", "name": 1}


def test_core_tags() -> None:
    assert value('[!!str 1, !!int "2", !!float 1, !!bool yes, !!null ~, ! 3, !!map {}, !!seq []]') == [
        "1",
        2,
        1,
        True,
        None,
        "3",
        {},
        [],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", 'f:3:1: duplicate key "a" (first at line 1)'),
        ("{a: 1, 'a': 2}", 'f:1:8: duplicate key "a" (first at line 1)'),
        ("1: a\n'1': b", 'f:2:1: duplicate key "1" (first at line 1)'),
        ("&a [*a]", 'f:1:5: anchor "a" contains itself'),
        ("*a", 'f:1:1: unknown anchor "a"'),
        ("a: !!python/object:os.system x", 'f:1:4: tag "tag:yaml.org,2002:python/object:os.system" is not supported'),
        ("a: !custom x", 'f:1:4: tag "!custom" is not supported here'),
        ("a: !!binary aGk=", "is not supported here"),
        ("a: !!seq {}", 'f:1:4: tag "tag:yaml.org,2002:seq" is not supported here'),
        ("a: !!int x", 'f:1:4: "x" does not fit the tag'),
        ("a: !!int yes", 'f:1:4: "yes" does not fit the tag'),
        ("a: .inf", 'f:1:4: ".inf" is not a JSON number'),
        ("? [a]\n: b", "f:1:3: a key must be a plain value, not a list or a mapping"),
        ("a: &x [1]\n*x : 2", "f:2:1: a key must be a plain value, not a list or a mapping"),
        ("~: 1", "f:1:1: a key must not be null"),
        ("a: {<<: 1}", '"<<" takes a mapping or a list of mappings'),
        ("'<<': {}", 'f:1:1: the key "<<" is kept for merging'),
    ],
)
def test_refusals_name_the_place(text: str, message: str) -> None:
    assert message in problem(text)


def test_depth_is_bounded_with_and_without_aliases() -> None:
    assert "nested deeper than 100 levels" in problem("[" * 100_000)
    assert "nested deeper than 100 levels" in problem('{"a":' * 5000)
    assert "nested deeper than 100 levels" in problem("- " * 5000 + "a")
    half = "[" * 60 + "]" * 60
    assert "nested deeper than 100 levels" in problem(f"a: &a {half}\nb: {'[' * 50}*a{']' * 50}")
    assert value("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_alias_bombs_are_refused_before_they_are_built() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert "more than 200000 values" in problem("\n".join(lines))


def test_text_bombs_are_refused() -> None:
    big = "x" * 1_000_000
    assert "characters after aliases are expanded" in problem(f"a: &a {big}\nb: [{', '.join(['*a'] * 20)}]")
