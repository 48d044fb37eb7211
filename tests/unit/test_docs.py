"""The documents keep up with the code: variables, commands, modules, tests and links that they name.

Fields are in docs/spec.md, which test_spec_doc watches.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from solovirt.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/solovirt"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
ROOMS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def text(name: str) -> str:
    return (ROOT / name).read_text()


def code_words(markdown: str) -> set[str]:
    """The words of everything between backticks; of paths and dotted names also the last part."""
    words: set[str] = set()
    for span in re.findall(r"`([^`\n]+)`", markdown):
        for word in re.findall(r"[\w./-]+", span):
            words |= {word, word.removesuffix(".py").rsplit("/")[-1], *word.split(".")}
    return words


def test_every_environment_variable_is_documented() -> None:
    used = {name for path in SOURCE.rglob("*.py") for name in re.findall(r"SOLOVIRT_[A-Z_]+", path.read_text())}
    assert "SOLOVIRT_STATE_DIR" in used
    assert used - code_words(text("docs/internals.md")) == set()


def test_every_command_is_documented() -> None:
    named = code_words(text("docs/cli.md")) | set(re.findall(r"\$ solovirt (\S+)", text("docs/cli.md")))
    shown = {command for command in COMMANDS if not command.startswith("_")}
    assert shown - named == set()


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_has_its_place_in_the_architecture(room: str) -> None:
    sections = re.split(r"^### ", text("docs/architecture.md"), flags=re.MULTILINE)
    section = next(section for section in sections if section.startswith(f"{room}\n"))
    modules = {path.stem for path in (SOURCE / room).rglob("*.py") if path.parent != SOURCE / "cli/commands"}
    assert modules - {"__init__"} - code_words(section) == set()


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@each_document
def test_tests_that_are_named_exist(path: Path) -> None:
    for place, name in re.findall(r"(tests/(?!unit/a/|real/a/)[\w/-]+(?:\.\w+)?)(?:::(\w+))?", path.read_text()):
        assert (ROOT / place).exists(), place
        assert not name or f"def {name}(" in text(place), f"{place}::{name}"


@each_document
def test_no_place_of_one_machine_is_named(path: Path) -> None:
    said = path.read_text().replace("/root/avocado/", "the talk's own words/")
    assert re.findall(r"/(?:work|root)/|/var/tmp/\w|/home/\w", said) == []
