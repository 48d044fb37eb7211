"""Where each key and list item of a YAML document stands. Knows nothing of YAML itself."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]
_SEGMENT = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


class Places:
    """The place (1-based line and column) of one value and, by key or index, of what is in it."""

    __slots__ = ("children", "column", "line")

    def __init__(self, line: int, column: int, children: dict[str | int, Places] | None = None) -> None:
        self.line = line
        self.column = column
        self.children = children


def split_field(field: str) -> Path:
    """``spec.disks[0].name`` and ``metadata.labels[a.b/c]`` as path parts."""
    parts: list[str | int] = []
    for index, name in _SEGMENT.findall(field):
        if index:
            parts.append(int(index) if index.isascii() and index.isdigit() else index)
        elif name:
            parts.append(name)
    return tuple(parts)


class LineMap:
    """Places of one document. ``source`` is the name of its file."""

    __slots__ = ("_root", "source")

    def __init__(self, source: str, root: Places) -> None:
        self.source = source
        self._root = root

    def locate(self, path: Path) -> tuple[int, int] | None:
        """Line and column of the key (or list item) at ``path``; None if the document has none there."""
        node = self._root
        for part in path:
            child = (node.children or {}).get(part)
            if child is None:
                return None
            node = child
        return node.line, node.column

    def under(self, path: Path) -> LineMap:
        """Of what stands at ``path``, or as near to it as the document goes, with paths that begin there."""
        return LineMap(self.source, self._nearest(path))

    def nearest(self, path: Path) -> tuple[int, int]:
        """As ``locate``, but of the longest part of ``path`` that the document has."""
        node = self._nearest(path)
        return node.line, node.column

    def _nearest(self, path: Path) -> Places:
        node = self._root
        for part in path:
            child = (node.children or {}).get(part)
            if child is None:
                break
            node = child
        return node

    def prefix(self, field: str | Path) -> str:
        """``file:line:column: `` for a message about ``field`` (a path, or text like ``spec.disks[0]``)."""
        line, column = self.nearest(split_field(field) if isinstance(field, str) else field)
        return f"{self.source}:{line}:{column}: "
