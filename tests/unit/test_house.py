"""The house's rules, as tests: layers, types, lint, sizes, one test module for each module."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/solovirt"
MAX_MODULE_LINES = 450
MAX_FUNCTION_LINES = 60

MODULES = sorted(p for p in SOURCE.rglob("*.py") if p.name not in ("__init__.py", "__main__.py"))


def tool(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *argv], cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize(
    "argv", [("ruff", "check", "--no-cache", "."), ("ruff", "format", "--check", "."), ("mypy",)], ids=" ".join
)
def test_linters_find_nothing(argv: tuple[str, ...]) -> None:
    done = tool(*argv)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rooms_import_downwards_only() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def acts(node: ast.AST) -> bool:
    """A function with a body of its own (a protocol's method has "...")."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return not all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in node.body)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_module_has_its_test_module(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    if not any(map(acts, ast.walk(ast.parse(path.read_text())))):
        return  # structs, constants and protocols only: shown by the tests of what uses them
    wanted = f"test_{relative.stem.lstrip('_')}.py"
    places = [ROOT / "tests" / kind / relative.parent / wanted for kind in ("unit", "real")]
    assert any(place.exists() for place in places), f"none of {[str(p.relative_to(ROOT)) for p in places]}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_module_stays_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_nothing_is_postponed_or_swallowed() -> None:
    words = re.compile(r"NotImplementedError|\bTODO\b|\bFIXME\b|except\s*:")
    found = [
        f"{p.relative_to(ROOT)}: {line.strip()}"
        for p in MODULES
        for line in p.read_text().splitlines()
        if words.search(line)
    ]
    assert not found


def test_only_the_json_boundary_says_any() -> None:
    found = [p for p in MODULES if re.search(r"\bAny\b", re.sub(r'""".*?"""|#.*', "", p.read_text(), flags=re.S))]
    assert found == [SOURCE / "kit/json.py"]
