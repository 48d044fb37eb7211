"""docs/slides.md: every line of the talk's two command lines beside solovirt's own, with the field that causes it.

``docs/slides/*.argv`` are the slides' lines as they stand there. What differs must have a reason in
``docs/slides/differences.toml``; ``report`` raises for a difference without one, and for a reason that nothing needs.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from solovirt.compile.explain import Row, Why
from solovirt.kit.jsontypes import Json
from solovirt.translate.words import Flag, parse
from tests.golden import cases

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/slides"
TITLES = {
    "windows": ("The Windows guest", "slides-windows", "examples/windows-server.yaml"),
    "hotplug": ("The guest with room to grow", "slides-hotplug", "tests/golden/slides-hotplug/vm.yaml"),
}
_NAMES = ("id", "node-name")
_BY_HEAD = frozenset({"tpmdev", "audiodev", "mon", "accel"})


@dataclass
class Line:
    """One line of the slides, with solovirt's row where there is one."""

    flag: Flag
    row: Row | None
    mine: Flag | None
    differences: list[str] = field(default_factory=list)


class Reasons:
    """``[[alias]]`` and ``[[difference]]`` of differences.toml, for one of the two command lines."""

    def __init__(self, which: str) -> None:
        data = tomllib.loads((FOLDER / "differences.toml").read_text())
        self.aliases: dict[str, str] = data["aliases"].get(which, {})
        self.rules: list[dict[str, str]] = [rule for rule in data["difference"] if which in rule.get("in", which)]
        self.used: set[int] = set()

    def find(self, line: str, prop: str) -> str:
        for number, rule in enumerate(self.rules):
            if re.fullmatch(rule["line"], line) and re.fullmatch(rule.get("prop", ""), prop):
                self.used.add(number)
                return rule["why"]
        raise LookupError(f"no reason in differences.toml for line {line!r}, property {prop!r}")

    def unused(self) -> list[str]:
        return [f"{rule['line']} {rule.get('prop', '')}" for n, rule in enumerate(self.rules) if n not in self.used]


def slides(which: str) -> list[Flag]:
    words: list[str] = []
    for line in (FOLDER / f"{which}.argv").read_text().splitlines()[1:]:
        words += line.split(" ", 1)
    return parse(words)[1]


def key(flag: Flag, aliases: dict[str, str]) -> str:
    """What makes two lines the same line: the option and the name of what it describes."""
    name = next((flag.word(part) for part in _NAMES if flag.word(part)), "")
    name = aliases.get(name, name)
    if flag.name in ("device", "object", "blockdev", "netdev", "chardev", "tpmdev", "audiodev") and name:
        return f"-{flag.name} {name}"
    if flag.name == "device":
        return f"-device {aliases.get(flag.head, flag.head)}"
    if flag.name == "global":
        return "-global " + (flag.word("driver") or next(iter(flag.props), "")) + flag.word("property")
    if flag.name == "smbios":
        return f"-smbios {flag.word('type')}"
    return f"-{flag.name}"


def compare(which: str) -> tuple[list[Line], list[Row], Reasons]:
    """The slides' lines, solovirt's rows that they do not have, and the reasons that were needed."""
    reasons = Reasons(which)
    explanation = cases.load(TITLES[which][1]).explanation()
    mine: dict[str, tuple[Row, Flag]] = {}
    for row in explanation.rows:
        flag = parse([row.flag] if row.value is None else [row.flag, row.value])[1][0]
        mine[key(flag, {})] = (row, flag)
    lines: list[Line] = []
    for flag in slides(which):
        name = key(flag, reasons.aliases)
        row, own = mine.pop(name, (None, None))
        line = Line(flag, row, own)
        lines.append(line)
        if own is None:
            line.differences.append(reasons.find(name, ""))
            continue
        seen: dict[str, list[str]] = {}
        for prop in _differing(flag, own, reasons.aliases):
            seen.setdefault(reasons.find(name, prop), []).append(prop)
        line.differences += [f"`{', '.join(props)}`: {why}" for why, props in seen.items()]
    return lines, [row for row, _ in mine.values()], reasons


def _differing(theirs: Flag, own: Flag, aliases: dict[str, str]) -> list[str]:
    """Names of the properties that differ; "" for the first word."""
    left, right = _flat(theirs, aliases), _flat(own, {})
    return [name for name in {**left, **right} if left.get(name) != right.get(name)]


def _flat(flag: Flag, aliases: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}

    def add(prefix: str, value: Json) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                add(f"{prefix}.{name}" if prefix else name, inner)
        else:
            text = {True: "on", False: "off", None: ""}.get(value, str(value)) if not isinstance(value, str) else value
            found[prefix] = aliases.get(text, text)

    add("", flag.props)
    if flag.name not in ("device", "object", "netdev", "audiodev", "chardev"):
        found[""] = flag.head
    return found


def report(which: str) -> str:
    title, case, manifest = TITLES[which]
    lines, more, reasons = compare(which)
    golden = f"[{case}](../tests/golden/{case}/argv.txt)"
    text = [f"## {title}", "", f"Manifest: [{manifest}](../{manifest}); golden: {golden}.", ""]
    for line in lines:
        text += ["```diff", f"- {line.flag.shown()}"]
        if line.row is not None:
            text.append(f"+ {_shown(line.row)}")
        text += ["```", "", _causes(line.row), *[f"- {difference}" for difference in line.differences], ""]
    if more:
        text += [f"### What the slides do not have: {title.lower()}", ""]
        for row in more:
            text += [f"- `{_shown(row)}`", f"  {_causes(row)} {reasons.find(_shown(row), 'more')}".rstrip()]
        text.append("")
    if unused := reasons.unused():
        raise LookupError(f"reasons that no difference needs: {unused}")
    return "\n".join(text)


def _shown(row: Row) -> str:
    return row.flag if row.value is None else f"{row.flag} {row.value}"


def _causes(row: Row | None) -> str:
    if row is None:
        return "Caused by nothing in solovirt."
    found: dict[str, None] = {}
    for why in (row.why, *(part.why for part in row.parts)):
        if why.kind == "manifest":
            found[f"`{why.path}`" + (f" (line {why.line})" if why.line else "")] = None
    if found:
        return "Caused by " + ", ".join(found) + "."
    return f"Caused by no field: {_first(row.why)}."


def _first(why: Why) -> str:
    return {"default": "a default", "host": "a fact of the host", "dependency": "something that needs it"}.get(
        why.kind, why.kind
    ) + f" ({why.text})"


INTRODUCTION = """# The talk's command lines, and solovirt's

Made by `scripts/slides-doc`; a test keeps it true. In each pair of lines the slides' comes first (`-`), then solovirt's
for the host of the slides (`+`, recorded facts `slides`). Property order does not count. Below that: the field of the
manifest that causes it, and every difference with its reason. `solovirt explain -f FILE --facts slides` shows the same.

"""


def document() -> str:
    return INTRODUCTION + "\n".join(report(which) for which in TITLES)


if __name__ == "__main__":
    (ROOT / "docs/slides.md").write_text(document())
