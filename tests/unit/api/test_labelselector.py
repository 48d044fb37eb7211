from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.scheduling import LabelSelector, Requirement
from solovirt.api.labelselector import compile_node_requirements, compile_selector, selector_text
from solovirt.api.selectors import parse_labels


def expression(key: str, operator: str, *values: str) -> Requirement:
    return Requirement(key=key, operator=operator, values=list(values))


WIDE = LabelSelector(
    match_labels={"b": "1", "a": "2"},
    match_expressions=[
        expression("tier", "In", "y", "x"),
        expression("old", "DoesNotExist"),
        expression("c", "Exists"),
        expression("d", "NotIn", "9"),
    ],
)


def test_the_canonical_text_is_sorted_and_means_the_same() -> None:
    text = selector_text(WIDE)
    assert text == "a=2,b=1,c,d notin (9),!old,tier in (x,y)"
    same = parse_labels(text)
    for labels in (
        {"a": "2", "b": "1", "c": "", "tier": "x"},
        {"a": "2", "b": "1", "c": "", "tier": "x", "d": "9"},
        {"a": "2", "b": "1", "c": "", "tier": "x", "old": ""},
        {"a": "2", "b": "1", "c": "", "tier": "z"},
        {"a": "2", "b": "0", "c": "", "tier": "x"},
    ):
        assert compile_selector(WIDE).matches(labels) is same.matches(labels)
    assert compile_selector(WIDE).matches({"a": "2", "b": "1", "c": "", "tier": "x"})


def test_an_empty_one_matches_everything() -> None:
    assert compile_selector(LabelSelector()).matches({})
    assert selector_text(LabelSelector()) == ""


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (expression("a", "Within", "b"), '"Within" is not a valid label selector operator'),
        (expression("a", "Gt", "1"), '"Gt" is not a valid label selector operator'),
        (expression("a", "In"), "values set can't be empty"),
        (expression("a", "Exists", "b"), "values set must be empty"),
        (expression("-a", "Exists"), 'key: Invalid value: "-a"'),
        (expression("a", "In", "no spaces"), 'Invalid value: "no spaces"'),
    ],
)
def test_wrong_selectors(wrong: Requirement, text: str) -> None:
    with pytest.raises(ValueError) as raised:
        compile_selector(LabelSelector(match_expressions=[wrong]))
    assert text in str(raised.value)


def test_node_requirements_compare_numbers() -> None:
    found = compile_node_requirements([expression("cpus", "Gt", "3"), expression("cpus", "Lt", "9")])
    assert [found.matches({"cpus": n}) for n in ("3", "4", "8", "9")] == [False, True, True, False]
    for values in ((), ("1", "2"), ("many",)):
        with pytest.raises(ValueError, match="exactly one integer"):
            compile_node_requirements([expression("cpus", "Gt", *values)])
