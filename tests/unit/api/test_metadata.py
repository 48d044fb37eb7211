import pytest

from solovirt.api.causes import Causes
from solovirt.api.meta import ObjectMeta
from solovirt.api.metadata import check_labels, check_metadata
from solovirt.kit.names import label_problem


def messages(meta: ObjectMeta, max_name: int = 253) -> list[str]:
    causes = Causes()
    check_metadata(causes, meta, max_name=max_name)
    return [cause.message for cause in causes.found]


def test_good_metadata() -> None:
    meta = ObjectMeta(name="a.b-c", namespace="default", labels={"a/b": "C"}, annotations={"X/y": "any\ntext"})
    assert messages(meta) == []
    assert messages(ObjectMeta(generate_name="web-")) == []


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (ObjectMeta(), "metadata.name: Required value: name or generateName is required"),
        (ObjectMeta(name="A"), 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of'),
        (ObjectMeta(generate_name="A-"), 'metadata.generateName: Invalid value: "A-"'),
        (ObjectMeta(name="a", namespace="a.b"), 'metadata.namespace: Invalid value: "a.b": a lowercase RFC 1123 label'),
        (ObjectMeta(name="a", labels={"a b": ""}), 'metadata.labels: Invalid value: "a b": name part must consist'),
        (ObjectMeta(name="a", labels={"a": "x y"}), 'metadata.labels: Invalid value: "x y": a valid label must be'),
        (ObjectMeta(name="a", annotations={"/": ""}), 'metadata.annotations: Invalid value: "/": prefix part'),
        (ObjectMeta(name="a", finalizers=["a b"]), 'metadata.finalizers: Invalid value: "a b"'),
        (ObjectMeta(name="a", annotations={"a": "x" * 300_000}), "metadata.annotations: Too long"),
    ],
)
def test_each_problem_is_named(meta: ObjectMeta, message: str) -> None:
    [found] = messages(meta)
    assert found.startswith(message)


def test_kinds_may_want_shorter_or_stricter_names() -> None:
    assert messages(ObjectMeta(name="x" * 64), max_name=63) == [
        f'metadata.name: Invalid value: "{"x" * 64}": must be no more than 63 characters'
    ]
    causes = Causes()
    check_metadata(causes, ObjectMeta(name="a.b"), name_problem=label_problem)
    assert "RFC 1123 label" in causes.found[0].message


def test_templates_have_labels_but_need_no_name() -> None:
    causes = Causes()
    check_labels(causes, ObjectMeta(labels={"a": "-"}), field="spec.template.metadata")
    assert [cause.field for cause in causes.found] == ["spec.template.metadata.labels"]
