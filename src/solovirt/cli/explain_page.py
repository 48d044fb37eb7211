"""``explain`` as one page: the manifest on the left, the command line on the right, each lighting up the other.

The page is one file that needs no network; a content security policy allows nothing but its own style and script, by
their hashes. The manifest is the user's own and is shown as it was given, with whatever secrets they wrote into it.
Knows nothing of where explanations come from.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import NamedTuple

import msgspec

from solovirt.compile.explain import KINDS, Explanation, Part, Row, Why
from solovirt.kit.linemap import LineMap, split_field

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""The line ends that YAML counts."""
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MEANING = {
    "manifest": "a field of the manifest asked for it",
    "default": "a default of KubeVirt or solovirt",
    "host": "a fact of the host or its QEMU",
    "dependency": "another option needs it",
}


class View(NamedTuple):
    """One machine: ``source`` names the manifest, ``text`` is all of it; lines in ``explanation`` are lines of it."""

    source: str
    text: str
    explanation: Explanation


def page(views: Sequence[View], *, title: str) -> str:
    """The whole page as HTML text."""
    style, script = _asset("explain.css"), _asset("explain.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    legend = "".join(f'<li class="{kind}" title="{escape(_MEANING[kind])}">{kind}</li>' for kind in KINDS)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy, quote=True)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<header><h1>{_text(title)}</h1><ul class="legend" aria-label="where a token comes from">{legend}</ul>'
        '<label><input type="checkbox" id="reasons"> show every reason</label></header>\n'
        f"<main>\n{''.join(_machine(view) for view in views)}</main>\n"
        '<footer><p id="status" aria-live="polite">Point at a line or a token, or reach it with Tab; '
        "click or Enter holds it, Escape lets go.</p></footer>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def placed(explanation: Explanation, lines: LineMap) -> Explanation:
    """``explanation`` of an object that had no file, with the places that its fields have in ``lines``."""

    def place(why: Why) -> Why:
        found = lines.locate(split_field(why.path)) if why.path else None
        if found is None:
            return why
        return msgspec.structs.replace(why, source=lines.source, line=found[0], column=found[1])

    return Explanation(
        explanation.binary,
        tuple(
            Row(row.flag, place(row.why), row.value, tuple(Part(part.token, place(part.why)) for part in row.parts))
            for row in explanation.rows
        ),
    )


def blocks(lines: Sequence[str]) -> list[int]:
    """For each line the last line (1-based) of what hangs on it: the deeper lines below, and a key's list items."""
    depths = [_depth(line) for line in lines]
    ends = []
    for index, (depth, line) in enumerate(zip(depths, lines, strict=True)):
        end = index
        is_item = line.lstrip(" ").startswith("- ")
        for below in range(index + 1, len(lines)):
            if depths[below] < 0:
                continue
            item_of_key = not is_item and depths[below] == depth and lines[below].lstrip(" ").startswith("- ")
            if depths[below] <= depth and not item_of_key:
                break
            end = below
        ends.append((end if depth >= 0 else index) + 1)
    return ends


def _depth(line: str) -> int:
    """Spaces before the first character; -1 for a line that is empty, a comment or a document's start."""
    content = line.lstrip(" ")
    return -1 if not content or content.startswith("#") or line.startswith(("---", "...")) else len(line) - len(content)


def _machine(view: View) -> str:
    lines = _BREAK.split(view.text.removeprefix("\ufeff"))
    if lines and not lines[-1]:
        lines.pop()
    used = sorted({why.line for row in view.explanation.rows for why in _reasons(row) if why.line})
    ends = blocks(lines)
    listed = "".join(
        _line(number, text, end, any(number <= line <= end for line in used))
        for number, (text, end) in enumerate(zip(lines, ends, strict=True), 1)
    )
    rows = "".join(_option(row) for row in view.explanation.rows)
    return (
        f'<section class="machine"><div class="side" role="region" aria-label="manifest">'
        f"<h2>{_text(view.source)}</h2><ol>{listed}</ol></div>"
        '<div class="side" role="region" aria-label="command line"><h2>command line</h2>'
        f'<div class="options"><div class="option"><code class="host">{_text(view.explanation.binary)}</code></div>'
        f"{rows}</div></div></section>\n"
    )


def _reasons(row: Row) -> list[Why]:
    return [row.why, *(part.why for part in row.parts)]


def _line(number: int, text: str, end: int, used: bool) -> str:
    active = f' role="button" tabindex="0" data-line="{number}" data-end="{end}"' if used else ""
    return f'<li{active}><span class="number">{number}</span><code>{_text(text) or " "}</code></li>\n'


def _option(row: Row) -> str:
    flag = f'<span class="flag">{_token(row.flag, row.why)}</span>'
    parts = row.parts or ((Part(row.value, row.why),) if row.value is not None else ())
    opening, closing = ("{", "}") if row.value is not None and row.value.startswith("{") else ("", "")
    tokens = ",".join(_token(part.token, part.why) for part in parts)
    told = "".join(
        f'<span class="why">{_text(token)} — <span class="{_kind(why)}">{_text(why.kind)}</span>: {_text(why.text)}'
        f"{_text(_place(why))}</span>"
        for token, why in ((row.flag, row.why), *((part.token, part.why) for part in row.parts))
    )
    return f'<div class="option">{flag} {opening}{tokens}{closing}{told}</div>\n'


def _token(token: str, why: Why) -> str:
    line = f' data-line="{why.line}"' if why.line else ""
    place = why.place()
    where = f' data-place="{_text(place)}"' if place else ""
    tip = f"{why.kind}: {why.text}{_place(why)}"
    return (
        f'<button type="button" class="token {_kind(why)}"{line} data-kind="{_text(why.kind)}" '
        f'data-why="{_text(why.text)}"{where} title="{_text(tip)}" aria-pressed="false">{_text(token)}</button>'
    )


def _kind(why: Why) -> str:
    return why.kind if why.kind in KINDS else "default"


def _place(why: Why) -> str:
    return f" [{why.place()}]" if why.path else ""


def _text(text: str) -> str:
    """Foreign text as HTML text or attribute; what cannot be shown is shown as such."""
    return escape(_CONTROLS.sub("\ufffd", text), quote=True)


def _asset(name: str) -> str:
    return (resources.files("solovirt.cli") / "page" / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
