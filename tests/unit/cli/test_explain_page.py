from __future__ import annotations

import base64
import hashlib
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.cli.explain_page import View, blocks, page, placed
from solovirt.compile.explain import Explanation, Part, Row, Why
from solovirt.kit import yaml

MANIFEST = """\
# a machine
spec:
  cpu:
    cores: 2

    # of that many
    threads: 1
  disks:
  - name: a
    disk: {}
  - name: b
"""


class Reader(HTMLParser):
    """Element names with their attributes, and the text below each class."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def machine(token: str = "cores=2", text: str = "asked for", line: int = 4) -> Explanation:
    why = Why("manifest", text, "spec.cpu.cores", "vm.yaml", line, 5)
    return Explanation("/usr/bin/qemu", (Row("-smp", Why("default", "cores"), token, (Part(token, why),)),))


def test_tokens_and_lines_know_each_other() -> None:
    read = Reader(page([View("vm.yaml", MANIFEST, machine())], title="vm"))

    tokens = [attrs for attrs in read.all("button") if attrs.get("data-line")]
    assert [(t["data-line"], t["data-kind"], t["data-why"]) for t in tokens] == [("4", "manifest", "asked for")]
    assert tokens[0]["data-place"] == "vm.yaml:4 spec.cpu.cores"
    reachable = [(li["data-line"], li["data-end"]) for li in read.all("li") if "tabindex" in li]
    assert reachable == [("2", "11"), ("3", "7"), ("4", "4")], "the line itself and what it hangs on"


def test_what_hangs_on_a_line() -> None:
    lines = MANIFEST.splitlines()
    ends = dict(zip((line.strip() for line in lines), blocks(lines), strict=True))

    assert ends["spec:"] == 11
    assert ends["cpu:"] == 7, "comments and empty lines end nothing"
    assert ends["cores: 2"] == 4
    assert ends["disks:"] == 11, "a list may stand as deep as its key"
    assert ends["- name: a"] == 10


def test_only_its_own_style_and_script_may_run() -> None:
    html = page([View("vm.yaml", MANIFEST, machine())], title="vm")
    (policy,) = [str(meta["content"]) for meta in Reader(html).all("meta") if "http-equiv" in meta]

    for name in ("style", "script"):
        (content,) = re.findall(rf"<{name}>(.*?)</{name}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"""(?:src|href)=|url\(|@import|https?://""", html)


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "</style></code></ol><!--",
    "]]>&lt;&#x3c;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_shown_becomes_markup(text: str) -> None:
    plain = Reader(page([View("vm.yaml", MANIFEST, machine())], title="vm"))
    html = page([View(text, f"a: {text}\n" + MANIFEST, machine(text, text, 5))], title=text)
    read = Reader(html)

    added = {"li"} | {"span", "code"}
    names = [name for name, _ in read.tags if name not in added]
    assert names == [name for name, _ in plain.tags if name not in added]
    allowed = set().union(*(attrs for _, attrs in plain.tags))
    assert set().union(*(attrs for _, attrs in read.tags)) <= allowed
    assert any(attrs.get("data-why") == text for attrs in read.all("button"))


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_every_text_gives_a_page_that_can_be_written(text: str) -> None:
    html = page([View("vm.yaml", text, machine(text, text))], title=text)

    html.encode("utf-8")
    numbers = re.findall(r'<span class="number">(\d+)</span>', html)
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20), max_size=8))
def test_the_manifest_is_shown_as_it_is(lines: list[str]) -> None:
    html = page([View("vm.yaml", "\n".join(lines) + "\n", machine())], title="vm")
    shown = re.findall(r'<span class="number">\d+</span><code>(.*?)</code></li>', html)

    assert [unescape(text) for text in shown] == (lines or [" "])


def test_an_object_without_a_file_gets_places() -> None:
    text = yaml.dump({"spec": {"cpu": {"cores": 2}}})
    (document,) = yaml.load_all(text, source="virtualmachine/a")
    found = placed(machine(line=0), document.lines)

    assert found.rows[0].parts[0].why.place() == "virtualmachine/a:3 spec.cpu.cores"
    assert found.rows[0].why.line == 0
