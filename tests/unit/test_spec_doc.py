"""docs/spec.md has every field of the types, and what it says of each is shown by something that exists."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from solovirt.api.meta import Model
from tests.support import specdoc
from tests.support.specdoc import Entry

FIELDS = specdoc.fields()
REMAKE = "run scripts/spec-doc"


@pytest.fixture(scope="module")
def known() -> dict[str, Entry]:
    return specdoc.entries()


def test_every_field_of_the_types_has_an_entry(known: dict[str, Entry]) -> None:
    assert specdoc.missing(FIELDS, known) == []


def test_every_entry_is_of_a_field(known: dict[str, Entry]) -> None:
    assert specdoc.unknown(FIELDS, known) == []


def test_every_entry_says_what_becomes_of_it(known: dict[str, Entry]) -> None:
    assert specdoc.unclear(known) == []


def test_what_shows_it_exists_and_uses_the_field(known: dict[str, Entry]) -> None:
    assert specdoc.not_shown(known) == []


def test_the_document_is_the_generated_one(known: dict[str, Entry]) -> None:
    assert specdoc.DOCUMENT.read_text() == specdoc.render(FIELDS, known), REMAKE


# -- the checks themselves -----------------------------------------------------------------------------------------


class Leaf(Model):
    __known_unsupported__ = frozenset({"later"})

    count: int = 0
    size: str | int | float | None = None


class Tree(Model):
    leaf: Leaf | None = None
    leaves: list[Leaf] = msgspec.field(default_factory=list)
    words: dict[str, str] = msgspec.field(default_factory=dict)


class Template(Model):
    spec: Tree


class Top(Model):
    template: Template
    running: bool | None = None


TOP = specdoc.fields(Top)


def test_fields_are_walked_through_lists_and_options() -> None:
    assert {path: field.type for path, field in TOP.items()} == {
        "vm:template": "object",
        "vm:template.spec": "object",
        "leaf": "object",
        "leaf.count": "integer",
        "leaf.size": "quantity",
        "leaf.later": "",
        "leaves": "list of objects",
        "leaves.count": "integer",
        "leaves.size": "quantity",
        "leaves.later": "",
        "words": "map of string",
        "vm:running": "boolean",
    }
    assert {"vm:running", "vm:runStrategy", "domain.cpu.cores", "volumes.containerDisk.image"} <= FIELDS.keys()
    assert "vm:dataVolumeTemplates.spec.source.http.url" in FIELDS


def test_an_entry_covers_its_own_field_only() -> None:
    said = Entry(shown=("golden:x",), becomes="y")
    known = {"leaf": said, "leaves.*": Entry(shown=("golden:x",), refused="no"), "vm:template.*": said}
    assert specdoc.missing(TOP, known) == ["leaf.count", "leaf.size", "leaf.later", "words", "vm:running"]
    wrong = {"leaf.colour": said, "words.*": said, "leaf": said, "leaves.*": said, "running": said}
    assert specdoc.unknown(TOP, wrong) == ["leaf.colour", "words.*", "running"]


@pytest.mark.parametrize(
    ("key", "entry", "clear"),
    [
        ("leaf", Entry(shown=("golden:x",), becomes="y"), True),
        ("leaf", Entry(shown=("golden:x",), refused="n"), True),
        ("leaf", Entry(shown=("golden:x",)), False),
        ("leaf", Entry(shown=(), becomes="y"), False),
        ("leaf", Entry(shown=("golden:x",), becomes="y\nz"), False),
        ("leaf.*", Entry(shown=("golden:x",), becomes="`-leaf`"), False),
        ("leaf.*", Entry(shown=("golden:x",), becomes="kept and shown"), True),
        ("leaf.*", Entry(shown=("golden:x",), refused="n"), True),
    ],
)
def test_what_an_entry_must_say(key: str, entry: Entry, clear: bool) -> None:
    assert (specdoc.unclear({key: entry}) == []) is clear


def test_what_must_be_there(tmp_path: Path) -> None:
    case = tmp_path / "tests/golden/case"
    case.mkdir(parents=True)
    (case / "vm.yaml").write_text(
        "kind: VirtualMachine\nspec: {running: true, template: {spec: {leaves: [{}, {count: 1}], leaf: {}}}}\n"
    )
    (tmp_path / "tests/unit").mkdir()
    (tmp_path / "tests/unit/test_a.py").write_text("async def test_one() -> None: ...\n")

    def problem(key: str, shown: str) -> str:
        found = specdoc.not_shown({key: Entry(shown=(shown,), becomes="x")}, tmp_path)
        return found[0].rpartition(": ")[2] if found else ""

    assert problem("leaves.count", "golden:case") == ""
    assert problem("leaf", "golden:case") == ""
    assert problem("vm:running", "golden:case") == ""
    assert problem("leaves.*", "golden:case") == ""
    assert problem("leaf.count", "golden:case") == "its vm.yaml does not use the field"
    assert problem("running", "golden:case") == "its vm.yaml does not use the field"
    assert problem("leaf", "golden:other") == "no such golden"
    assert problem("leaf", "tests/unit/test_a.py") == problem("leaf", "tests/unit/test_a.py::test_one") == ""
    assert problem("leaf", "tests/unit/test_a.py::test_o") == "no such test in it"
    assert problem("leaf", "tests/unit/test_b.py") == "no such test module"
    assert problem("leaf", "README.md") == "no such test module"


def test_entries_that_are_not_in_order(tmp_path: Path) -> None:
    good = '["leaf"]\nbecomes = "x"\nshown = ["golden:case"]\n'
    (tmp_path / "a.toml").write_text(good)
    assert specdoc.entries(tmp_path) == {"leaf": Entry(shown=("golden:case",), becomes="x")}
    for text, said in (
        (good, r"b\.toml: leaf has an entry elsewhere too"),
        (good + 'colour = "red"\n', r"b\.toml: .*colour"),
        ("leaf", r"b\.toml: "),
        ('["leaves"]\nbecomes = "x"\n', r"b\.toml: .*shown"),
    ):
        (tmp_path / "b.toml").write_text(text)
        with pytest.raises(ValueError, match=said):
            specdoc.entries(tmp_path)


def test_rows_of_the_document() -> None:
    known = {
        "leaf.count": Entry(shown=("golden:case", "tests/unit/test_a.py::test_one"), becomes="`a|b`"),
        "leaf.size": Entry(shown=("golden:case",), refused="too big"),
        "leaves.*": Entry(shown=("golden:case",), becomes="kept", refused="5"),
    }
    text = specdoc.render(TOP, known)
    assert r"| `leaf.count` | integer | yes | `a\|b` | golden `case`<br>`tests/unit/test_a.py::test_one` |" in text
    assert "| `leaf.size` | quantity | refused | too big | golden `case` |" in text
    assert "| `leaves.count` | integer | in part | kept; refused: 5 | golden `case` |" in text
    assert "| `running` | boolean |  |  |  |" in text
    assert "12 fields, 5 of them supported." in text
    assert text.index("## VirtualMachine") < text.index("## `leaf`") < text.index("## `leaves`")
