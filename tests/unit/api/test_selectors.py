import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.api.selectors import parse_fields, parse_labels
from solovirt.kit.errors import BadRequest

LABELS = {"app": "web", "tier": "front", "size": "5", "kubevirt.io/domain": "x"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=web,tier=back", False),
        ("app!=web", False),
        ("none!=x", True),
        ("app in (web, db)", True),
        ("app notin (db)", True),
        ("none notin (db)", True),
        ("app in (db),tier", False),
        ("tier", True),
        ("none", False),
        ("!none", True),
        ("! app", False),
        ("size>4", True),
        ("size<5", False),
        ("app>4", False),
        ("kubevirt.io/domain=x", True),
        ("app = web , tier = front", True),
        ("none=", False),
    ],
)
def test_label_selectors(text: str, matches: bool) -> None:
    assert parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    "text", ["=a", "a=b=c", "a=b,,c", ",", "a in b", "a in (b", "a b", "a=!", "!", "size>x", "a=" + "x" * 64, "a/b/c"]
)
def test_malformed_label_selectors(text: str) -> None:
    with pytest.raises(BadRequest, match="unable to parse requirement"):
        parse_labels(text)


FIELDS = {"metadata.name": "web", "metadata.namespace": "default", "reason": "a,b"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=web,metadata.name=web", True),
        ("metadata.name==web,metadata.namespace!=x", True),
        ("metadata.name!=web", False),
        ("metadata.name=", False),
        ("reason=a\\,b", True),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    assert parse_fields(text).matches(FIELDS) is matches


def test_fields_that_a_kind_does_not_have() -> None:
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.x"):
        parse_fields("metadata.name=other,spec.x=1").matches(FIELDS)


@pytest.mark.parametrize("text", ["a", "=b", "a=b,,c=d", "a>b"])
def test_malformed_field_selectors(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_fields(text)


def test_value_of_an_equality() -> None:
    assert parse_fields("metadata.name=web").value_of("metadata.name") == "web"
    assert parse_fields("metadata.name!=web").value_of("metadata.name") is None


VALUES = st.sampled_from(["a", "b", "c"])


@given(st.dictionaries(VALUES, VALUES), VALUES, st.lists(VALUES, min_size=1, max_size=3))
@settings(max_examples=100)
def test_notin_is_the_opposite_of_in(labels: dict[str, str], key: str, values: list[str]) -> None:
    inside = parse_labels(f"{key} in ({','.join(values)})")
    outside = parse_labels(f"{key} notin ({','.join(values)})")
    assert inside.matches(labels) is not outside.matches(labels)
    assert inside.matches(labels) is (labels.get(key) in values)


@given(st.text("ab=!,() <>in\\", max_size=20))
@settings(max_examples=300)
def test_no_text_crashes_them(text: str) -> None:
    for parse in (parse_labels, parse_fields):
        try:
            parse(text)
        except BadRequest:
            pass
