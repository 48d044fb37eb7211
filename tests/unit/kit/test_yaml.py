import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.kit import yaml
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(lambda k: k != "<<"), inner, max_size=4),
    max_leaves=12,
)


def loaded(text: str | bytes) -> object:
    [document] = yaml.load_all(text)
    return document.value


@given(st.dictionaries(TEXT.filter(lambda k: k != "<<"), JSON, max_size=5))
@settings(max_examples=150, deadline=None)
def test_load_undoes_dump(value: dict[str, object]) -> None:
    assert loaded(yaml.dump(value)) == value


@given(st.dictionaries(TEXT.filter(lambda k: k != "<<"), JSON, max_size=5))
@settings(max_examples=100, deadline=None)
def test_json_is_yaml(value: dict[str, object]) -> None:
    assert loaded(encode(value)) == value


@given(st.binary(max_size=200) | st.text("{}[]:,-&*!|>'\"#%@?~\n \tab1", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_input_loads_or_is_a_bad_request(data: bytes | str) -> None:
    try:
        assert isinstance(yaml.load_all(data), list)
    except BadRequest as error:
        assert str(error).startswith("<stdin>:")


def test_several_documents_empty_ones_left_out() -> None:
    documents = yaml.load_all("# nothing\n---\na: 1\n---\n---\n- b\n...\n", source="x.yaml")
    assert [d.value for d in documents] == [{"a": 1}, ["b"]]
    assert {d.source for d in documents} == {"x.yaml"}


def test_every_key_and_item_has_its_place() -> None:
    [document] = yaml.load_all("spec:\n  disks:\n    - name: a\n    - {name: b}\n", source="vm.yaml")
    assert document.lines.locate(("spec",)) == (1, 1)
    assert document.lines.locate(("spec", "disks")) == (2, 3)
    assert document.lines.locate(("spec", "disks", 0, "name")) == (3, 7)
    assert document.lines.locate(("spec", "disks", 1)) == (4, 7)
    assert document.lines.prefix("spec.disks[1].name") == "vm.yaml:4:8: "


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a: 1\n b: 2", "f:2:3: malformed YAML: mapping values are not allowed in this context"),
        ("a: [1", "malformed YAML: did not find expected ',' or ']' while parsing a flow sequence"),
        ("a: 'x", "malformed YAML: found unexpected end of stream while scanning a quoted scalar"),
        ("\ta: 1", "f:1:1: malformed YAML: found character that cannot start any token"),
        (b"a: \xff", "f:1:4: not UTF-8 text"),
        ("a: \ud800", "f:1:4: not a Unicode character"),
        ("a: 1\nb: \x01", "f:2:4: malformed YAML: control characters are not allowed"),
        ("x" * (yaml.MAX_BYTES + 1), "f: larger than 3145728 bytes"),
    ],
)
def test_malformed_input_names_the_place(data: bytes | str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        yaml.load_all(data, source="f")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "template"),
    [
        ("a: {{ .Values.cores }}\n", "f:1:5", True),
        ("{{- if .Values.on }}\na: 1\n", "f:1:2", True),
        ("a: 1\n{% if on %}\nb: 2\n", "f:2:2", True),
        ("a: 1\n b: {{ x }}\n c: 2\n", "f:2:3", True),
        ("text: '{{ x }}'\na: 1\nb: 2\n c: 3\n", "f:4:3", False),
        ("[a, b]: 1\n", "f:1:1", False),
    ],
)
def test_a_template_is_told_from_a_mistake(text: str, place: str, template: bool) -> None:
    with pytest.raises(BadRequest) as caught:
        yaml.load_all(text, source="f")
    assert caught.value.message.startswith(f"{place}: ")
    assert ("render it first" in caught.value.hint) is template


def test_surrogate_escapes_of_json() -> None:
    assert loaded('{"a": "\\ud83d\\ude00", "b": "\\\\ud83d\\\\ude00"}') == {"a": "😀", "b": "\\ud83d\\ude00"}
    with pytest.raises(BadRequest):
        yaml.load_all('{"a": "\\ud83d"}')


def test_byte_order_marks_are_skipped() -> None:
    assert loaded(b"\xef\xbb\xbfa: 1") == loaded("\ufeffa: 1") == {"a": 1}


def test_dump_is_kubectls_style() -> None:
    value: yaml.Json = {
        "b": [{"name": "x", "size": 1}, "plain"],
        "a": {"when": "2026-11-22T14:00:00Z", "mode": "0644", "yes": "y", "none": None, "on": True},
        "text": "#!/bin/sh\necho hi\n",
        "empty": {"list": [], "map": {}, "string": ""},
        "long": "word " * 60 + "end",
    }
    assert yaml.dump(value) == (
        'a:\n  mode: "0644"\n  none: null\n  "on": true\n  when: "2026-11-22T14:00:00Z"\n  "yes": "y"\n'
        "b:\n- name: x\n  size: 1\n- plain\n"
        'empty:\n  list: []\n  map: {}\n  string: ""\n'
        f"long: {'word ' * 60}end\n"
        "text: |\n  #!/bin/sh\n  echo hi\n"
    )


def test_dump_never_writes_aliases() -> None:
    shared: list[yaml.Json] = ["x"]
    assert yaml.dump({"a": shared, "b": shared}) == "a:\n- x\nb:\n- x\n"


def test_a_scalar_has_no_document_end_mark() -> None:
    assert yaml.dump("x") == "x\n"
