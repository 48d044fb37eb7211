"""docs/slides.md says the truth about every line of the talk's two command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import slides

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_is_what_is_made_of_it_now() -> None:
    written = (ROOT / "docs/slides.md").read_text()
    assert written == slides.document(), "run scripts/slides-doc, and read the difference"


@pytest.mark.parametrize(("which", "lines"), [("windows", 66), ("hotplug", 21)])
def test_every_line_of_the_slides_is_there(which: str, lines: int) -> None:
    assert len(slides.slides(which)) == lines
    found, _, _ = slides.compare(which)
    assert len(found) == lines


def test_nearly_all_of_the_windows_guest_comes_from_the_manifest_unchanged() -> None:
    found, _, _ = slides.compare("windows")
    same = [line for line in found if line.row is not None and not line.differences]
    absent = [line.flag.shown()[:30] for line in found if line.row is None]
    assert len(same) >= 25
    assert len(absent) == 3, absent
    tokens = [flag.word("bus") for line in found if (flag := line.mine) and flag.head in ("e1000e", "qemu-xhci")]
    assert tokens == ["pci.5", "pci.1"]


def test_a_difference_without_a_reason_is_an_error() -> None:
    with pytest.raises(LookupError, match="no reason"):
        slides.Reasons("windows").find("-machine", "nobody")


def test_a_reason_that_nothing_needs_is_told() -> None:
    assert len(slides.Reasons("hotplug").unused()) > 10
