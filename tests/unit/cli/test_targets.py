from __future__ import annotations

import pytest

from solovirt.cli import targets
from solovirt.cli.context import Context
from solovirt.cli.kinds import CATEGORY_ALL, VM, VMI
from solovirt.kit.errors import BadRequest


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["vm"], [(VM, [])]),
        (["vm,vmi", "a", "b"], [(VM, ["a", "b"]), (VMI, ["a", "b"])]),
        (["vm,vms,virtualmachine"], [(VM, [])]),
        (["vm/a"], [(VM, ["a"])]),
        (["vm/a", "vmi/a", "vm/b"], [(VM, ["a", "b"]), (VMI, ["a"])]),
        (["all"], [(kind, []) for kind in CATEGORY_ALL]),
    ],
)
def test_words(words: list[str], expected: targets.Targets) -> None:
    assert targets.resolve(Context(), words) == expected


@pytest.mark.parametrize(
    "words", [[","], ["vm/a", "b"], ["vm", "vmi/a"], ["/a"], ["vm/"], ["vm/a/b"], ["vm,vmi/a"], ["all", "a"]]
)
def test_words_that_mean_nothing(words: list[str]) -> None:
    with pytest.raises(BadRequest):
        targets.resolve(Context(), words)


def test_one_kind() -> None:
    assert targets.one(Context(), ["vm", "a"]) == (VM, ["a"])
    with pytest.raises(BadRequest, match="one kind at a time"):
        targets.one(Context(), ["vm/a", "vmi/a"])
