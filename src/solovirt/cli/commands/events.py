"""``events``: what happened, oldest first, as ``kubectl events`` shows it; ``-w`` goes on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from solovirt.cli import targets
from solovirt.cli.client import path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import EVENT
from solovirt.cli.output import clean, show_object
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str
from solovirt.kit.timestamps import age

EPILOG = """examples:
  solovirt events                        of the namespace, oldest first
  solovirt events --for vm/hello -w      of one object, and go on
  solovirt events -A --types Warning     what went wrong anywhere
"""
TYPES = ("Normal", "Warning")
FORMATS = ("wide", "json", "yaml", "name")
HEADER = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
WIDE = ["SOURCE", "FIRST SEEN", "COUNT", "NAME"]


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("-w", "--watch", action="store_true", help="go on showing new ones until ^C")
    parser.add_argument("--for", dest="about", default="", metavar="KIND/NAME", help="only those about one object")
    parser.add_argument("--types", default="", metavar="TYPES", help="Normal,Warning")
    parser.add_argument("-o", "--output", default="", choices=("", *FORMATS), metavar="FORMAT", help="|".join(FORMATS))
    parser.add_argument("--no-headers", action="store_true", help="rows only")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    types = wanted_types(args.types)
    query = _query(args, context)
    listing = context.client.get(_path(context), query)
    found = [e for e in get_list(listing, "items") if isinstance(e, dict) and _is_wanted(e, types)]
    found.sort(key=lambda event: (last_seen(event), get_str(get_object(event, "metadata"), "name")))
    if args.output in ("json", "yaml", "name"):
        _show_whole(args, found)
        return _watch(args, context, query, types, listing, None) if args.watch else 0
    printer = Printer(args, context)
    if found:
        printer.show(found)
    elif not args.watch:
        context.note("No events found" + ("." if context.all_namespaces else f" in {context.namespace} namespace."))
    return _watch(args, context, query, types, listing, printer) if args.watch else 0


def wanted_types(text: str) -> frozenset[str]:
    """Empty: all. Raises BadRequest for a word that is none of the two."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {name.lower(): name for name in TYPES}
    for word in words:
        if word.lower() not in known:
            raise BadRequest(f"--types: {word!r} is neither Normal nor Warning")
    return frozenset(known[word.lower()] for word in words)


def _path(context: Context) -> str:
    return path_of(EVENT.group, EVENT.version, EVENT.plural, context.scope)


def _query(args: argparse.Namespace, context: Context) -> dict[str, str]:
    if not args.about:
        return {}
    kind, slash, name = args.about.partition("/")
    if not (kind and slash and name):
        raise BadRequest("--for: expected KIND/NAME", hint="for instance --for vm/hello")
    ((found, _),) = targets.resolve(context, [args.about])
    fields = f"involvedObject.kind={found.kind},involvedObject.name={name}"
    return {"fieldSelector": fields}


def _is_wanted(event: JsonObject, types: frozenset[str]) -> bool:
    return not types or get_str(event, "type") in types


def last_seen(event: JsonObject) -> str:
    series = get_str(get_object(event, "series"), "lastObservedTime")
    keys = ("lastTimestamp", "eventTime", "firstTimestamp")
    created = get_str(get_object(event, "metadata"), "creationTimestamp")
    return series or next((get_str(event, key) for key in keys if get_str(event, key)), created)


def _watch(
    args: argparse.Namespace,
    context: Context,
    query: dict[str, str],
    types: frozenset[str],
    listing: JsonObject,
    printer: Printer | None,
) -> int:
    from solovirt.cli.watching import changes

    # Who has stopped the daemon does not want a forgotten terminal to start it again.
    context.endpoint.autostart = False
    first = [get_str(get_object(listing, "metadata"), "resourceVersion")]

    def start() -> str:
        """The version of the list that was shown; later, once that is too old, whatever comes from now on."""
        if first:
            return first.pop()
        return get_str(get_object(context.client.get(_path(context), {"limit": "1"}), "metadata"), "resourceVersion")

    for change in changes(context, _path(context), query, start, "application/json"):
        event = get_object(change, "object")
        if change.get("type") == "DELETED" or not _is_wanted(event, types):
            continue
        if printer is not None:
            printer.show([event])
        else:
            _show_whole(args, [event], alone=True)
    return 0


def _show_whole(args: argparse.Namespace, found: Sequence[JsonObject], *, alone: bool = False) -> None:
    items: list[Json] = [{"apiVersion": EVENT.api_version, "kind": EVENT.kind, **event} for event in found]
    if args.output == "name":
        for event in found:
            print(f"event/{clean(get_str(get_object(event, 'metadata'), 'name'))}", flush=True)
    elif alone or args.watch:
        for item in items:
            if args.output == "yaml":
                print("---")
            show_object(item, args.output)
    else:
        show_object(
            {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}, args.output
        )


class Printer:
    """Rows below each other; widths only grow. The last column is as long as it is."""

    def __init__(self, args: argparse.Namespace, context: Context) -> None:
        self._wide = args.output == "wide"
        self._namespaces = context.all_namespaces
        self._header = not args.no_headers
        self._widths: list[int] = []

    def show(self, events: Sequence[JsonObject]) -> None:
        rows = [self._row(event) for event in events]
        if self._header:
            head = HEADER[:4] + WIDE + HEADER[4:] if self._wide else HEADER
            rows.insert(0, ["NAMESPACE", *head] if self._namespaces else head)
            self._header = False
        for row in rows:
            self._widths += [0] * (len(row) - len(self._widths))
            self._widths = [max(width, len(text)) for width, text in zip(self._widths, row, strict=True)]
        for row in rows:
            *texts, last = row
            print("   ".join([*(t.ljust(w) for t, w in zip(texts, self._widths, strict=False)), last]).rstrip())
        sys.stdout.flush()

    def _row(self, event: JsonObject) -> list[str]:
        about, now = get_object(event, "involvedObject"), datetime.now(UTC)
        count = get_int(event, "count", 1)
        first = get_str(event, "firstTimestamp")
        seen = age(last_seen(event), now)
        if count > 1 and first:
            seen = f"{seen} (x{count} over {age(first, now)})"
        cells = [seen, get_str(event, "type"), get_str(event, "reason")]
        cells.append(f"{get_str(about, 'kind')}/{get_str(about, 'name')}")
        if self._wide:
            source = get_str(get_object(event, "source"), "component") or get_str(event, "reportingComponent")
            name = get_str(get_object(event, "metadata"), "name")
            cells += [source, age(first or last_seen(event), now), str(count), name]
        cells.append(get_str(event, "message").strip())
        if self._namespaces:
            cells.insert(0, get_str(get_object(event, "metadata"), "namespace"))
        return [clean(cell) for cell in cells]
