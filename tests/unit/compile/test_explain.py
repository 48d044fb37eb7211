"""Every token of every golden has a reason, and reasons say where in the manifest."""

from __future__ import annotations

import shlex

import msgspec
import pytest

from solovirt.compile import explain
from solovirt.compile.explain import KINDS, Explanation, Written
from solovirt.compile.render import argv
from tests.golden import cases


@pytest.fixture(scope="module")
def hello() -> Explanation:
    return cases.load("hello").explanation()


@pytest.mark.parametrize("name", cases.names())
def test_every_token_has_a_reason(name: str) -> None:
    case = cases.load(name)
    told = case.explanation()
    machine = case.machine()
    words = [told.binary]
    for row in told.rows:
        assert row.why.text and row.why.kind in KINDS, row
        words.append(row.flag)
        if row.value is None:
            assert not row.parts
            continue
        words.append(row.value)
        assert row.parts and all(part.why.text and part.why.kind in KINDS for part in row.parts), row
        joined = ",".join(part.token for part in row.parts)
        assert row.value in (joined, "{" + joined + "}"), "the tokens are the whole value"
    assert words == argv(machine)


@pytest.mark.parametrize("name", cases.names())
def test_reasons_from_the_manifest_point_at_something_written(name: str) -> None:
    case = cases.load(name)
    for row in case.explanation().rows:
        for why in [row.why, *(part.why for part in row.parts)]:
            if why.kind == "manifest":
                assert why.line and why.path, (row.flag, why)


def why(told: Explanation, flag: str, token: str) -> explain.Why:
    return next(part.why for row in told.rows if row.flag == flag for part in row.parts if part.token == token)


def test_a_written_field_has_its_line(hello: Explanation) -> None:
    found = why(hello, "-smp", "cores=2")
    assert (found.kind, found.path) == ("manifest", "spec.template.spec.domain.cpu.cores")
    text = (cases.HERE / "hello" / "vm.yaml").read_text().splitlines()
    assert text[found.line - 1].strip() == "cores: 2"
    assert found.place() == f"vm.yaml:{found.line} spec.template.spec.domain.cpu.cores"


def test_a_field_that_is_not_there_is_a_default(hello: Explanation) -> None:
    found = why(hello, "-smp", "threads=1")
    assert (found.kind, found.line) == ("default", 0)
    assert "not in the manifest" in found.text


def test_without_lines_a_field_is_a_field() -> None:
    machine = cases.load("hello").machine()
    told = explain.explain(machine, prefix="spec")
    assert why(told, "-smp", "threads=1").kind == "manifest"


def test_an_object_without_a_file_knows_what_was_written() -> None:
    machine = cases.load("hello").machine()
    written = Written({"spec": {"domain": {"cpu": {"cores": 2}}, "volumes": [{"name": "a"}]}})
    told = explain.explain(machine, prefix="spec", lines=written)
    assert why(told, "-smp", "cores=2").kind == "manifest"
    assert why(told, "-smp", "cores=2").place() == "spec.domain.cpu.cores"
    assert why(told, "-smp", "threads=1").kind == "default"
    assert written.locate(("spec", "volumes", 0, "name")) == (0, 0)
    assert written.locate(("spec", "volumes", 1)) is None
    assert written.locate(("spec", 0)) is None


def test_argv_can_be_pasted_into_a_shell() -> None:
    for name in ("hello", "strings"):
        case = cases.load(name)
        text = explain.argv(case.explanation())
        assert shlex.split(text.replace("\\\n", "")) == argv(case.machine())
        assert all(line.endswith("\\") for line in text.splitlines()[:-1])


def test_json_comes_back() -> None:
    told = cases.load("hello").explanation()
    assert msgspec.json.decode(explain.json_text(told), type=Explanation) == told


def test_table(hello: Explanation) -> None:
    plain = explain.table(hello)
    assert "\x1b" not in plain
    coloured = explain.table(hello, colour=True)
    assert "\x1b[32mmanifest\x1b[0m" in coloured
    assert len(coloured.splitlines()) == len(plain.splitlines())
    row = next(line for line in plain.splitlines() if line.startswith("  cores=2"))
    assert row.split()[1] == "manifest" and row.endswith("spec.template.spec.domain.cpu.cores]")


def test_rows_are_those_of_explain() -> None:
    machine = cases.load("hello").machine()
    assert tuple(explain.rows(machine)) == explain.explain(machine).rows
