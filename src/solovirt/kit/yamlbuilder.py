"""Values from YAML events, with hard limits: no input makes it recurse, explode or crash.

Iterative over the event stream; an alias is a counted copy, so a bomb is refused before it is built.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json
from solovirt.kit.linemap import Places
from solovirt.kit.yamlscalars import Scalar, resolve

MAX_DEPTH = 100
MAX_NODES = 200_000
RENDER_FIRST = "{{ }} and {% %} belong to a template, which is no YAML: render it first (helm template, ansible)"
MAX_TEXT = 8 * 1024 * 1024
_CORE = "tag:yaml.org,2002:"
_MERGE = "<<"
_SHOWN = 60


class _Anchored(NamedTuple):
    """A finished value that an alias may copy, with its price."""

    value: Json
    places: Places
    nodes: int
    text: int
    height: int


class _Frame:
    """An open mapping or sequence. ``merges`` are the ``<<`` mappings, first one strongest."""

    __slots__ = ("anchor", "height", "key", "key_places", "merges", "nodes", "places", "text", "value")

    def __init__(self, value: dict[str, Json] | list[Json], places: Places, anchor: str | None) -> None:
        self.value = value
        self.places = places
        self.anchor = anchor
        self.key: str | None = None
        self.key_places = places
        self.merges: list[tuple[dict[str, Json], Places]] = []
        self.nodes = self.text = self.height = 0


class Builder:
    """Feed it events; ``documents`` then holds (value, places) of each document that is not null.

    Raises ``BadRequest`` with "source:line:column: ...".
    """

    def __init__(self, source: str) -> None:
        self.documents: list[tuple[Json, Places]] = []
        self._source = source
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._nodes = 0
        self._text = 0

    def feed(self, event: Event) -> None:
        if isinstance(event, ScalarEvent):
            self._scalar(event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._open(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._close(event)
        elif isinstance(event, AliasEvent):
            self._alias(event)
        elif isinstance(event, DocumentStartEvent):
            self._anchors.clear()

    def _scalar(self, event: ScalarEvent) -> None:
        self._count(event, 1, len(event.value))
        places = _places(event)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            self._take_key(frame, self._key(event), places, event)
            return
        value = self._value(event)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, places, 1, len(event.value), 0)
        self._attach(value, places, 0, event)

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        self._count(event, 1, 0)
        if len(self._stack) >= MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        is_mapping = isinstance(event, MappingStartEvent)
        kind = "map" if is_mapping else "seq"
        if event.tag not in (None, "!", _CORE + kind):
            raise self._error(event, f"tag {_shown(event.tag)} is not supported here")
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.value, dict) and parent.key is None:
            # What "{{ name }}" is to a parser.
            hint = RENDER_FIRST if is_mapping and event.flow_style else ""
            raise self._error(event, "a key must be a plain value, not a list or a mapping", hint)
        places = _places(event)
        places.children = {}
        frame = _Frame({} if is_mapping else [], places, event.anchor)
        frame.nodes, frame.text = self._nodes, self._text
        if event.anchor:
            self._anchors[event.anchor] = None
        self._stack.append(frame)

    def _close(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        frame = self._stack.pop()
        if isinstance(frame.value, dict):
            _merge(frame.value, frame.places, frame.merges)
        height = frame.height + 1
        if frame.anchor:
            nodes, text = self._nodes - frame.nodes + 1, self._text - frame.text
            self._anchors[frame.anchor] = _Anchored(frame.value, frame.places, nodes, text, height)
        self._attach(frame.value, frame.places, height, event)

    def _alias(self, event: AliasEvent) -> None:
        name = event.anchor
        if name not in self._anchors:
            raise self._error(event, f"unknown anchor {_shown(name)}")
        anchored = self._anchors[name]
        if anchored is None:
            raise self._error(event, f"anchor {_shown(name)} contains itself")
        self._count(event, anchored.nodes, anchored.text)
        if len(self._stack) + anchored.height > MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        frame = self._stack[-1] if self._stack else None
        places = Places(*_start(event), anchored.places.children)
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            if isinstance(anchored.value, dict | list) or anchored.value is None:
                raise self._error(event, "a key must be a plain value, not a list or a mapping")
            self._take_key(frame, _key_text(anchored.value), places, event)
            return
        self._attach(_copy(anchored.value), places, anchored.height, event)

    def _take_key(self, frame: _Frame, key: str, places: Places, event: Event) -> None:
        if frame.places.children is not None and key in frame.places.children and key != _MERGE:
            first = frame.places.children[key]
            raise self._error(event, f"duplicate key {_shown(key)} (first at line {first.line})")
        frame.key, frame.key_places = key, places

    def _key(self, event: ScalarEvent) -> str:
        if event.implicit[0] and event.tag is None and event.value == _MERGE:
            return _MERGE
        value = self._value(event)
        if value is None:
            raise self._error(event, "a key must not be null")
        if value == _MERGE:
            raise self._error(event, 'the key "<<" is kept for merging')
        return _key_text(value)

    def _attach(self, value: Json, places: Places, height: int, event: Event) -> None:
        """Put a finished value where it belongs: under its key, at the end of its list, or as the document."""
        if not self._stack:
            if value is not None:
                self.documents.append((value, places))
            return
        frame = self._stack[-1]
        frame.height = max(frame.height, height)
        children = frame.places.children
        if isinstance(frame.value, list):
            if children is not None:
                children[len(frame.value)] = places
            frame.value.append(value)
            return
        key, frame.key = frame.key, None
        if key == _MERGE:
            self._take_merge(frame, value, places, event)
        elif key is not None and children is not None:
            children[key] = Places(frame.key_places.line, frame.key_places.column, places.children)
            frame.value[key] = value

    def _take_merge(self, frame: _Frame, value: Json, places: Places, event: Event) -> None:
        children = places.children or {}
        for index, source in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(source, dict):
                raise self._error(event, '"<<" takes a mapping or a list of mappings')
            frame.merges.append((source, children.get(index, places) if isinstance(value, list) else places))

    def _value(self, event: ScalarEvent) -> Scalar:
        tag = event.tag
        if tag is None:
            value = resolve(event.value) if event.implicit[0] else event.value
        else:
            value = self._tagged(event, tag)
        if isinstance(value, float) and not math.isfinite(value):
            raise self._error(event, f"{_shown(event.value)} is not a JSON number")
        return value

    def _tagged(self, event: ScalarEvent, tag: str) -> Scalar:
        if tag in ("!", _CORE + "str"):
            return event.value
        value = resolve(event.value)
        kinds: dict[str, tuple[type, ...]] = {
            "int": (int,),
            "float": (int, float),
            "bool": (bool,),
            "null": (type(None),),
        }
        wanted = kinds.get(tag.removeprefix(_CORE))
        if wanted is None or not tag.startswith(_CORE):
            raise self._error(event, f"tag {_shown(tag)} is not supported here")
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise self._error(event, f"{_shown(event.value)} does not fit the tag {_shown(tag)}")
        return value

    def _count(self, event: Event, nodes: int, text: int) -> None:
        self._nodes += nodes
        self._text += text
        if self._nodes > MAX_NODES:
            raise self._error(event, f"more than {MAX_NODES} values")
        if self._text > MAX_TEXT:
            raise self._error(event, f"more than {MAX_TEXT} characters after aliases are expanded")

    def _error(self, event: Event, message: str, hint: str = "") -> BadRequest:
        line, column = _start(event)
        return BadRequest(f"{self._source}:{line}:{column}: {message}", hint=hint)


def _start(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _places(event: Event) -> Places:
    return Places(*_start(event))


def _shown(text: str | None) -> str:
    text = text or ""
    return f'"{text[:_SHOWN]}…"' if len(text) > _SHOWN else f'"{text}"'


def _key_text(value: Scalar) -> str:
    """Keys are strings in JSON: sigs.k8s.io/yaml writes ``true:`` as "true" and ``1:`` as "1"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _copy(value: Json) -> Json:
    """A copy of a value of bounded depth."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _merge(target: dict[str, Json], places: Places, merges: list[tuple[dict[str, Json], Places]]) -> None:
    """YAML's merge key: keys of the mapping itself win, then the first merged mapping that has one."""
    for source, source_places in merges:
        children = source_places.children or {}
        for key, value in source.items():
            if key not in target:
                target[key] = value
                if places.children is not None and key in children:
                    places.children[key] = children[key]
