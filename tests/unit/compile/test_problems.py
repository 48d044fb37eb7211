"""All errors come at once, with whole paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from solovirt.compile.problems import gather, invalid, join, under
from solovirt.kit.errors import HostError, Invalid


def wrong(path: str) -> Iterator[int]:
    yield 1
    raise invalid(path, "is wrong", hint="right it")


def lacking() -> Iterator[int]:
    yield 2
    raise HostError("no tool")


def test_gather_joins_results() -> None:
    assert gather([lambda: [1, 2], lambda: [3]]) == [1, 2, 3]


def test_gather_collects_every_cause_once() -> None:
    with pytest.raises(Invalid) as caught:
        gather([lambda: wrong("a"), lacking, lambda: wrong("b"), lambda: wrong("a")])
    assert [cause.field for cause in caught.value.causes] == ["a", "b"]


def test_gather_raises_the_hosts_trouble_when_the_manifest_is_right() -> None:
    with pytest.raises(HostError, match="no tool"):
        gather([lacking, lambda: [1]])


def test_under_completes_paths_and_messages() -> None:
    with pytest.raises(Invalid) as caught:
        gather([lambda: wrong("a[0].b")])
    whole = under("spec.template.spec", caught.value)
    assert whole.causes[0].field == "spec.template.spec.a[0].b"
    assert whole.message == "spec.template.spec.a[0].b: is wrong (right it)"


def test_join() -> None:
    assert (join("spec", "a"), join("", "a"), join("spec", "")) == ("spec.a", "a", "spec")
