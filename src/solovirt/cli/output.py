"""Printing: server-side Tables as kubectl shows them, YAML, JSON, names."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from solovirt.cli.kinds import Kind
from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str

FORMATS = ("yaml", "json", "wide", "name")


class TablePrinter:
    """Prints Tables of one kind below each other; column widths only grow, as kubectl's do in a watch."""

    def __init__(
        self, kind: Kind, *, wide: bool = False, namespaces: bool = False, prefix: bool = False, header: bool = True
    ) -> None:
        self._kind = kind
        self._wide = wide
        self._namespaces = namespaces
        self._prefix = prefix
        self._widths: list[int] = []
        self._header_printed = not header

    def show(self, table: JsonObject) -> None:
        """Print the header (once) and the table's rows."""
        columns = [c for c in get_list(table, "columnDefinitions") if isinstance(c, dict)]
        shown = [i for i, c in enumerate(columns) if self._wide or get_int(c, "priority") == 0]
        rows = [self._row(row, shown) for row in get_list(table, "rows") if isinstance(row, dict)]
        if not self._header_printed:
            header = [get_str(columns[i], "name").upper() for i in shown]
            rows.insert(0, ["NAMESPACE", *header] if self._namespaces else header)
            self._header_printed = True
        self._print(rows)

    def _row(self, row: JsonObject, shown: Sequence[int]) -> list[str]:
        cells = get_list(row, "cells")
        texts = ["" if cells[i] is None else clean(str(cells[i])) for i in shown]
        if self._prefix:
            texts[0] = f"{self._kind.qualified}/{texts[0]}"
        if self._namespaces:
            texts.insert(0, get_str(get_object(get_object(row, "object"), "metadata"), "namespace"))
        return texts

    def _print(self, rows: list[list[str]]) -> None:
        for row in rows:
            self._widths += [0] * (len(row) - len(self._widths))
            for i, text in enumerate(row):
                self._widths[i] = max(self._widths[i], len(text))
        for row in rows:
            print("   ".join(text.ljust(width) for text, width in zip(row, self._widths, strict=False)).rstrip())
        sys.stdout.flush()


def clean(text: str) -> str:
    """Control characters never reach the terminal: a guest may have chosen this text."""
    return "".join(c if c.isprintable() else " " for c in text)


def show_object(value: Json, form: str) -> None:
    """``value`` as YAML or JSON."""
    if form == "json":
        print(json.dumps(value, indent=4, ensure_ascii=False))
    else:
        from solovirt.kit import yaml

        print(yaml.dump(value), end="")
    sys.stdout.flush()


def table_text(rows: list[list[str]]) -> str:
    """Aligned columns, three spaces apart."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return "\n".join("   ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows)
