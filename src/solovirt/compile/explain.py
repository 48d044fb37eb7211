"""Every token of a machine's command line with the reason for it, for people and for programs.

``explain`` makes the rows; ``argv``, ``table`` and ``json_text`` show them. Rows are plain values: a client that got
them as JSON from the API shows them with the same functions.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from solovirt.compile import render
from solovirt.compile.options import JsonValue, KeyValues, Machine, Option, Reason, Word
from solovirt.compile.problems import join
from solovirt.kit.json import Json, pretty
from solovirt.kit.linemap import Path, split_field

KINDS = ("manifest", "default", "host", "dependency")
_COLOURS = {"manifest": "32", "default": "36", "host": "33", "dependency": "35"}
_BOLD = "1"
_TOKEN_WIDTH = 48


class Locator(Protocol):
    """``kit.linemap.LineMap``, or anything else that knows what a manifest's author wrote."""

    def locate(self, path: Path) -> tuple[int, int] | None: ...


class Why(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A reason: ``kind`` is one of ``KINDS``; ``path`` is the whole field path in the manifest; line and column are
    there when the manifest has the field."""

    kind: str
    text: str
    path: str = ""
    source: str = ""
    line: int = 0
    column: int = 0

    def place(self) -> str:
        """``vm.yaml:12 spec.template.spec.domain.cpu.cores``; "" for a reason that no field belongs to."""
        where = f"{self.source}:{self.line} " if self.line else ""
        return where + self.path


class Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One token of a value: ``cores=2`` or ``"bus":"pci.1"``."""

    token: str
    why: Why


class Row(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One option: ``value`` is the word that follows the flag in argv (None for a flag alone)."""

    flag: str
    why: Why
    value: str | None = None
    parts: tuple[Part, ...] = ()


class Explanation(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    binary: str
    rows: tuple[Row, ...]


Origins = Mapping[str, tuple[str, str]]
"""For a field that something else filled in: the field that names it, and what it is ("instancetype u1.small")."""


def explain(
    machine: Machine,
    *,
    prefix: str = "spec.template.spec",
    lines: Locator | None = None,
    source: str = "",
    origins: Origins | None = None,
) -> Explanation:
    """The whole command line. ``prefix`` is where the VMI's spec stands in the manifest; ``source`` names the file.

    With ``lines``, a field that the manifest does not have is called what it is: one of ``origins``, or a default.
    """
    return Explanation(machine.binary, tuple(rows(machine, prefix=prefix, lines=lines, source=source, origins=origins)))


def rows(
    machine: Machine,
    *,
    prefix: str = "spec.template.spec",
    lines: Locator | None = None,
    source: str = "",
    origins: Origins | None = None,
) -> list[Row]:
    """One row for each option, in the order of argv."""
    source = source or str(getattr(lines, "source", ""))

    def tell(reason: Reason) -> Why:
        return _why(reason, prefix, lines, source, origins or {})

    return [
        Row(
            flag=option.flag,
            why=tell(option.why),
            value=next(iter(render.value(option)), None),
            parts=tuple(Part(token, tell(reason)) for token, reason in _tokens(option)),
        )
        for option in machine.options
    ]


class Written:
    """A ``Locator`` for an object that has no file: it knows what is there, but no lines."""

    def __init__(self, value: Json) -> None:
        self._value = value

    def locate(self, path: Path) -> tuple[int, int] | None:
        """(0, 0) for a field that is there."""
        node = self._value
        for part in path:
            match node, part:
                case dict(), str() if part in node:
                    node = node[part]
                case list(), int() if part < len(node):
                    node = node[part]
                case _:
                    return None
        return 0, 0


def argv(explanation: Explanation) -> str:
    """A command that a shell takes: one option a line."""
    lines = [shlex.quote(explanation.binary)]
    for row in explanation.rows:
        lines.append(row.flag if row.value is None else f"{row.flag} {shlex.quote(row.value)}")
    return " \\\n  ".join(lines) + "\n"


def json_text(explanation: Explanation) -> str:
    return pretty(explanation) + "\n"


def table(explanation: Explanation, *, colour: bool = False) -> str:
    """For people: each option, below it its tokens, beside each token its reason and the field."""
    paint = _paint if colour else _plain
    lines = [f"{'OPTION':<{_TOKEN_WIDTH}}  {'FROM':<10}  REASON"]
    lines.append(
        f"{paint(explanation.binary, _BOLD, _TOKEN_WIDTH)}  {paint('host', _COLOURS['host'], 10)}  QEMU's binary"
    )
    for row in explanation.rows:
        if len(row.parts) <= 1:
            token = row.flag if row.value is None else f"{row.flag} {row.value}"
            lines.append(_line(token, row.parts[0].why if row.parts else row.why, paint, _BOLD))
            continue
        lines.append(_line(row.flag, row.why, paint, _BOLD))
        lines.extend(_line(f"  {part.token}", part.why, paint, "") for part in row.parts)
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Painter(Protocol):
    def __call__(self, text: str, code: str, width: int) -> str: ...


def _line(token: str, why: Why, paint: _Painter, code: str) -> str:
    place = f" [{why.place()}]" if why.path else ""
    kind = paint(why.kind, _COLOURS.get(why.kind, ""), 10)
    return f"{paint(token, code, _TOKEN_WIDTH)}  {kind}  {why.text}{place}"


def _plain(text: str, code: str, width: int) -> str:
    return f"{text:<{width}}"


def _paint(text: str, code: str, width: int) -> str:
    padding = " " * max(0, width - len(text))
    return f"\x1b[{code}m{text}\x1b[0m{padding}" if code else text + padding


def _tokens(option: Option) -> Iterator[tuple[str, Reason]]:
    """The pieces of a value. Joined by commas (inside braces for JSON) they are the value."""
    match option.value:
        case Word(text, why):
            yield text, why
        case JsonValue(props):
            for prop in props:
                yield f"{render.json_text(prop.key)}:{render.json_text(prop.value)}", prop.why
        case KeyValues(head, head_why, props):
            if head:
                yield render.escape(head), head_why or option.why
            for prop in props:
                yield render.pair(prop), prop.why


def _why(reason: Reason, prefix: str, lines: Locator | None, source: str, origins: Origins) -> Why:
    if not reason.path:
        return Why(reason.kind, reason.text)
    path = reason.path if reason.path.startswith("metadata.") else join(prefix, reason.path)
    found = lines.locate(split_field(path)) if lines is not None else None
    if found is None and lines is not None and reason.kind == "manifest":
        origin = _origin(path, origins)
        if origin is None:
            return Why("default", f"{reason.text} (not in the manifest: the default)", path)
        line, column = lines.locate(split_field(origin[0])) or (0, 0)
        return Why("manifest", f"{reason.text} ({origin[1]})", origin[0], source if line else "", line, column)
    line, column = found or (0, 0)
    return Why(reason.kind, reason.text, path, source if line else "", line, column)


def _origin(path: str, origins: Origins) -> tuple[str, str] | None:
    """Of the field itself, of one below it, or of the object that it is a part of."""
    if path in origins:
        return origins[path]
    below = (origin for known, origin in origins.items() if known.startswith((f"{path}.", f"{path}[")))
    above = (origin for known, origin in origins.items() if path.startswith((f"{known}.", f"{known}[")))
    return next(below, None) or next(above, None)
