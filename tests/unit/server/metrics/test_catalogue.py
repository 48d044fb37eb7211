"""Names, types and words; and that the document tells of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from solovirt.server.metrics.catalogue import METRICS

DOCUMENT = (Path(__file__).resolve().parents[4] / "docs/metrics.md").read_text()
SERVED, ABSENT = DOCUMENT.split("## Absent", 1)
NAME = r"`((?:kubevirt|solovirt)_\w+)`"


@pytest.mark.parametrize("name", METRICS)
def test_names_follow_their_types(name: str) -> None:
    entry = METRICS[name]
    assert re.fullmatch(r"(kubevirt|solovirt)_[a-z0-9_]+", name)
    assert name.endswith("_total") == (entry.type == "counter")
    assert entry.help.endswith(".") and "\n" not in entry.help


def test_the_document_has_them_all() -> None:
    rows = dict(re.findall(rf"^\| {NAME} \| (\w+) \|", SERVED, re.MULTILINE))
    assert rows == {name: entry.type for name, entry in METRICS.items()}


def test_what_is_absent_is_not_served() -> None:
    absent = set(re.findall(NAME, ABSENT))
    assert len(absent) > 30
    assert absent & set(METRICS) == set()
