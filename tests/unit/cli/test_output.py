from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solovirt.cli.kinds import VM
from solovirt.cli.output import TablePrinter, clean, show_object, table_text
from solovirt.kit.jsontypes import JsonObject

TABLE: JsonObject = {
    "columnDefinitions": [{"name": "Name"}, {"name": "Status"}, {"name": "IP", "priority": 1}],
    "rows": [
        {"cells": ["a", "Running", "10.0.2.2"], "object": {"metadata": {"namespace": "n1"}}},
        {"cells": ["longer", None, None], "object": {"metadata": {"namespace": "n2"}}},
    ],
}


def test_columns_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    TablePrinter(VM).show(TABLE)
    assert capsys.readouterr().out == "NAME     STATUS\na        Running\nlonger\n"


def test_wide_shows_all_columns_and_A_the_namespace(capsys: pytest.CaptureFixture[str]) -> None:
    TablePrinter(VM, wide=True, namespaces=True).show(TABLE)
    assert capsys.readouterr().out.splitlines()[:2] == [
        "NAMESPACE   NAME     STATUS    IP",
        "n1          a        Running   10.0.2.2",
    ]


def test_a_watch_prints_one_header(capsys: pytest.CaptureFixture[str]) -> None:
    printer = TablePrinter(VM, prefix=True)
    printer.show(TABLE)
    printer.show(TABLE)
    out = capsys.readouterr().out
    assert out.count("NAME") == 1
    assert out.count("virtualmachine.kubevirt.io/a") == 2


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert clean(text).isprintable()


def test_objects(capsys: pytest.CaptureFixture[str]) -> None:
    show_object({"b": 1, "a": ["ü"]}, "json")
    assert capsys.readouterr().out == '{\n    "b": 1,\n    "a": [\n        "ü"\n    ]\n}\n'
    show_object({"b": 1, "a": ["x"]}, "yaml")
    assert capsys.readouterr().out == "a:\n- x\nb: 1\n"


def test_text_tables() -> None:
    assert table_text([["A", "B"], ["long", "x"]]) == "A      B\nlong   x"
