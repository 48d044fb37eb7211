"""YAML as kubectl reads it, bounded, with the place of every key.

libyaml's event parser is the tokenizer; ``kit.yamlbuilder`` makes the values. Limits: ``MAX_BYTES`` of input, depth
``MAX_DEPTH``, ``MAX_NODES`` nodes after alias expansion; duplicate keys and non-core tags are refused. JSON is YAML
too. Knows nothing of Kubernetes objects.

Source of the scalar rules: sigs.k8s.io/yaml goyaml.v2, see ``kit.yamlscalars``.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import yaml
from yaml import CBaseLoader, CSafeDumper

from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json
from solovirt.kit.linemap import LineMap
from solovirt.kit.yamlbuilder import RENDER_FIRST, Builder
from solovirt.kit.yamlscalars import is_ambiguous

__all__ = ("MAX_BYTES", "Document", "LineMap", "dump", "load_all")

MAX_BYTES = 3 * 1024 * 1024
_TEMPLATE = re.compile(r"\{[{%]")
_RAW = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_JSON_ONLY = re.compile(_RAW.pattern + r"|\\u[dD][89abAB]")


class Document(NamedTuple):
    """One document of a stream: its value, where each key of it stands, and the name of the file."""

    value: Json
    lines: LineMap
    source: str


def load_all(data: bytes | str, *, source: str = "<stdin>") -> list[Document]:
    """Every document that is not empty. Raises ``BadRequest`` with "source:line:column: ..."."""
    text = _text(data, source)
    if text.lstrip()[:1] in ("{", "[") and _JSON_ONLY.search(text):
        text = _yaml_of_json(text)
    return _load(text, source)


def _load(text: str, source: str) -> list[Document]:
    builder = Builder(source)
    try:
        for event in yaml.parse(text, Loader=CBaseLoader):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        raise _malformed(error, text, source) from None
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, text, source) from None
    return [Document(value, LineMap(source, places), source) for value, places in builder.documents]


def _yaml_of_json(text: str) -> str:
    """JSON holds raw what YAML escapes, and writes characters beyond U+FFFF as two escapes, which YAML does not know.

    Columns after such a character move; text that is no JSON stays as it is.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _SURROGATES.sub(_joined, _RAW.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _joined(match: re.Match[str]) -> str:
    code = 0x10000 + ((int(match[2], 16) - 0xD800) << 10) + (int(match[3], 16) - 0xDC00)
    return f"{match[1]}\\U{code:08x}"


def _text(data: bytes | str, source: str) -> str:
    if len(data) > MAX_BYTES:
        raise BadRequest(f"{source}: larger than {MAX_BYTES} bytes")
    if isinstance(data, bytes):
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line, column = _place(data[: error.start].decode("utf-8", "replace"))
            raise BadRequest(f"{source}:{line}:{column}: not UTF-8 text") from None
    try:
        data.encode()
    except UnicodeEncodeError as error:
        line, column = _place(data[: error.start])
        raise BadRequest(f"{source}:{line}:{column}: not a Unicode character") from None
    return data.removeprefix("\ufeff")


def _place(before: str) -> tuple[int, int]:
    line = before.count("\n")
    return line + 1, len(before) - (before.rfind("\n") + 1) + 1


def _malformed(error: yaml.MarkedYAMLError, text: str, source: str) -> BadRequest:
    mark = error.problem_mark or error.context_mark
    hint = RENDER_FIRST if mark and any(map(_TEMPLATE.search, _around(text, mark.line))) else ""
    place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
    context = f" {error.context}" if error.context else ""
    return BadRequest(f"{place}: malformed YAML: {error.problem or 'unreadable'}{context}", hint=hint)


def _around(text: str, line: int) -> list[str]:
    """A line (from 0) and the one before: libyaml often sees at the next token only what is wrong."""
    return text.split("\n", line + 1)[max(line - 1, 0) : line + 1]


def _unreadable(error: yaml.reader.ReaderError, text: str, source: str) -> BadRequest:
    """libyaml gives a byte position and no mark for characters that YAML does not allow."""
    position = error.position if isinstance(error.position, int) else 0
    line, column = _place(text.encode()[:position].decode("utf-8", "replace"))
    return BadRequest(f"{source}:{line}:{column}: malformed YAML: {error.reason}")


class _Dumper(CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if is_ambiguous(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(value: Json) -> str:
    """Block style, keys sorted, several lines as ``|``, as kubectl prints it. ``load_all`` reads it back."""
    rendered = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True, width=2**31 - 1
    )
    return str(rendered).removesuffix("...\n")
