"""The page of ``explain -o html`` in a real browser."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import browser
from tests.support.browser import Tab

pytestmark = pytest.mark.real

HELLO = Path(__file__).resolve().parents[3] / "examples/hello.yaml"
LIT = "[...document.querySelectorAll('.lit')].map(e => e.dataset.line + ' ' + e.tagName + ' ' + e.textContent).sort()"
HOSTILE = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata:
  name: hostile
  annotations:
    note: "<script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"
spec:
  runStrategy: Halted
  template:
    spec:
      domain:
        memory:
          guest: 64Mi # </script><script>window.broken = 3</script>
        devices:
          disks:
          - {name: seed, disk: {bus: virtio}}
      volumes:
      - name: seed
        cloudInitNoCloud:
          userData: |
            </code></ol></script><script>window.broken = 4</script>" onmouseover="window.broken = 5
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Tab]:
    with browser.tab() as tab:
        tab.resize(1200, 800)
        yield tab


def explain(manifest: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "solovirt", "explain", "-f", str(manifest), "--facts", "qemu-7.2", "-o", "html"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    page = folder / "page.html"
    page.write_bytes(done.stdout)
    return page


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(HELLO.read_text().splitlines(), 1) if line.strip().startswith(text))


def test_each_side_lights_up_the_other(chromium: Tab, tmp_path: Path) -> None:
    chromium.open(explain(HELLO, tmp_path))
    cores = line_of("cores:")

    chromium.point(f"li[data-line='{cores}']")
    lit = chromium.evaluate(LIT)
    assert isinstance(lit, list)
    assert any(str(word).endswith("BUTTON cores=1") for word in lit), lit
    assert all(str(word).startswith(f"{cores} ") for word in lit), lit

    chromium.point(f"button.token[data-line='{cores}']")
    lit = chromium.evaluate(LIT)
    assert isinstance(lit, list)
    assert any(str(word).startswith(f"{cores} LI") for word in lit), lit
    told = str(chromium.evaluate("document.getElementById('status').textContent"))
    assert f"hello.yaml:{cores} spec.template.spec.domain.cpu.cores" in told

    chromium.point(f"li[data-line='{line_of('cpu:')}']")
    above = chromium.evaluate(LIT)
    assert isinstance(above, list)
    assert any(str(word).endswith("BUTTON cores=1") for word in above), "a key lights what is below it, too"

    chromium.point("header h1")
    assert chromium.evaluate(LIT) == []


def test_a_click_holds_and_escape_lets_go(chromium: Tab, tmp_path: Path) -> None:
    chromium.open(explain(HELLO, tmp_path))
    cores = line_of("cores:")

    chromium.point(f"li[data-line='{cores}']", click=True)
    held = chromium.evaluate(LIT)
    chromium.point("header h1")
    assert held == chromium.evaluate(LIT) != []
    assert chromium.evaluate("document.querySelectorAll('[aria-pressed=true]').length") == 1

    chromium.press("Escape")
    assert chromium.evaluate(LIT) == []


def test_the_keyboard_reaches_everything(chromium: Tab, tmp_path: Path) -> None:
    chromium.open(explain(HELLO, tmp_path))
    chromium.press("Tab")
    assert chromium.evaluate("document.activeElement.id") == "reasons"
    chromium.press("Tab")
    first = chromium.evaluate("document.activeElement.dataset.line")
    assert first is not None
    assert len(chromium.evaluate(LIT) or []) > 1  # type: ignore[arg-type]
    chromium.press("Enter")
    assert chromium.evaluate("document.activeElement.classList.contains('pinned')") is True
    chromium.press("Escape")
    focusable = chromium.evaluate("document.querySelectorAll('button.token:not([disabled])').length")
    assert isinstance(focusable, int)
    assert focusable > 50


def test_every_reason_can_be_shown_and_both_colour_schemes_are_there(chromium: Tab, tmp_path: Path) -> None:
    chromium.open(explain(HELLO, tmp_path))
    visible = "getComputedStyle(document.querySelector('.option .why')).display"
    assert chromium.evaluate(visible) == "none"
    chromium.evaluate("document.getElementById('reasons').click()")
    assert chromium.evaluate(visible) == "block"

    colours = []
    for dark in (False, True):
        chromium.resize(1200, 800, dark=dark)
        colours.append(chromium.evaluate("getComputedStyle(document.body).backgroundColor"))
    chromium.resize(1200, 800)
    assert colours == ["rgb(255, 255, 255)", "rgb(22, 24, 29)"]


def test_hostile_text_stays_text(chromium: Tab, tmp_path: Path) -> None:
    manifest = tmp_path / "hostile.yaml"
    manifest.write_text(HOSTILE)
    chromium.problems.clear()
    chromium.open(explain(manifest, tmp_path))

    assert chromium.evaluate("typeof window.broken") == "undefined"
    assert chromium.evaluate("document.scripts.length") == 1
    assert chromium.evaluate("document.images.length") == 0
    shown = chromium.evaluate("[...document.querySelectorAll('li code')].map(e => e.textContent).join('\\n')")
    assert str(shown).rstrip() == HOSTILE.rstrip()
    assert chromium.problems == [], "nothing was refused by the page's own policy"
