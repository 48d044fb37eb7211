"""``get -w``: what is there, then every change, until ^C; through the end of a watch, and a daemon that is replaced."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

from solovirt.cli.client import TABLE, ApiError, path_of
from solovirt.cli.commands import get
from solovirt.cli.context import Context
from solovirt.cli.follow import PATIENCE, PAUSE
from solovirt.cli.kinds import Kind
from solovirt.cli.output import show_object
from solovirt.kit.errors import Unavailable
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str


def run(args: argparse.Namespace, context: Context, kind: Kind, name: str) -> int:
    """Raises ApiError for a name that is not there, Unavailable when the server stays away."""
    whole = args.output in ("yaml", "json", "name")
    chosen = get.query(args, name)
    if name:
        context.client.get(path_of(kind.group, kind.version, kind.plural, get.scope(context, kind), name))
    # Who has stopped the daemon does not want a forgotten terminal to start it again.
    context.endpoint.autostart = False
    if whole:
        for event in changes(context, get.collection(context, kind), chosen, lambda: "", "application/json"):
            _show_whole(args, kind, get_object(event, "object"))
        return 0
    printer = get.printer(args, context, kind)

    def listed() -> str:
        table = get.all_pages(context, kind, chosen)
        printer.show(table)
        return get_str(get_object(table, "metadata"), "resourceVersion")

    for event in changes(context, get.collection(context, kind), chosen, listed, TABLE):
        printer.show(get_object(event, "object"))
    return 0


def changes(
    context: Context, base: str, chosen: dict[str, str], start: Callable[[], str], accept: str
) -> Iterator[JsonObject]:
    """Events for ever. ``start`` gives the version to begin with, now and when the old one has expired."""
    revision, since = start(), time.monotonic()
    while True:
        query = {**chosen, "allowWatchBookmarks": "true", **({"resourceVersion": revision} if revision else {})}
        try:
            for event in context.client.watch(base, query, accept=accept):
                since = time.monotonic()
                revision = _revision(get_object(event, "object")) or revision
                if event.get("type") != "BOOKMARK":
                    yield event
            since = time.monotonic()
        except ApiError as error:
            if error.status != 410:
                raise
            revision = start()
        except Unavailable:
            if time.monotonic() - since > PATIENCE:
                raise
        time.sleep(PAUSE)


def _revision(obj: JsonObject) -> str:
    """Of an object, or of a table's only row."""
    if own := get_str(get_object(obj, "metadata"), "resourceVersion"):
        return own
    for row in get_list(obj, "rows"):
        if isinstance(row, dict):
            return get_str(get_object(get_object(row, "object"), "metadata"), "resourceVersion")
    return ""


def _show_whole(args: argparse.Namespace, kind: Kind, obj: JsonObject) -> None:
    """Each a YAML document or a JSON value of its own."""
    if args.output == "name":
        print(f"{kind.qualified}/{get_str(get_object(obj, 'metadata'), 'name')}", flush=True)
        return
    if args.output == "yaml":
        print("---")
    show_object(obj, args.output)
