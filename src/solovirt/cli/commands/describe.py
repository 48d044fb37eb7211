"""``describe``: an object's fields as kubectl describes kinds it has no special form for, then its events."""

from __future__ import annotations

import argparse

from solovirt.cli import targets
from solovirt.cli.client import path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import EVENT, VM, VMI, Kind
from solovirt.cli.output import clean, table_text
from solovirt.cli.threeway import ANNOTATION
from solovirt.kit.jsontypes import Json, JsonObject, get_int, get_list, get_object, get_str

HIDDEN_METADATA = ("name", "namespace", "labels", "annotations", "managedFields")


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("words", nargs="+", metavar="KIND[/NAME] [NAME ...]")
    parser.add_argument("-l", "--selector", default="", metavar="LABELS")
    parser.add_argument("--show-events", choices=("true", "false"), default="true")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    groups = targets.resolve(context, args.words)
    found = [(kind, obj) for kind, names in groups for obj in _objects(args, context, kind, names)]
    if not found:
        context.note(f"no {', '.join(kind.plural for kind, _ in groups)} to describe")
    for position, (kind, obj) in enumerate(found):
        if position:
            print("\n")
        print("\n".join(lines(obj, kind)))
        if args.show_events == "true":
            print(events_text(context, obj, kind))
    return 0


def _objects(args: argparse.Namespace, context: Context, kind: Kind, names: list[str]) -> list[JsonObject]:
    scope = (context.namespace if names else context.scope) if kind.namespaced else ""
    if names:
        return [context.client.get(path_of(kind.group, kind.version, kind.plural, scope, n)) for n in names]
    query = {"labelSelector": args.selector} if args.selector else None
    listing = context.client.get(path_of(kind.group, kind.version, kind.plural, scope), query)
    return [o for o in get_list(listing, "items") if isinstance(o, dict)]


def lines(obj: JsonObject, kind: Kind) -> list[str]:
    """The description, without events."""
    metadata = get_object(obj, "metadata")
    annotations = {k: v for k, v in get_object(metadata, "annotations").items() if k != ANNOTATION}
    head: JsonObject = {"Name": get_str(metadata, "name")}
    if kind.namespaced:
        head["Namespace"] = get_str(metadata, "namespace")
    result = [f"{key + ':':<13}{value}" for key, value in head.items()]
    result += _pairs("Labels:", get_object(metadata, "labels")) + _pairs("Annotations:", annotations)
    result += [f"{'API Version:':<13}{kind.api_version}", f"{'Kind:':<13}{kind.kind}"]
    rest = {k: v for k, v in metadata.items() if k not in HIDDEN_METADATA}
    body = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
    if kind.kind == "Secret":
        body = {**body, "data": {k: f"{_decoded_size(v)} bytes" for k, v in get_object(obj, "data").items()}}
    return [*result, *_fields({"metadata": rest, **body}, 0)]


def _decoded_size(value: Json) -> int:
    """Values of secrets are not shown, their sizes are."""
    text = str(value)
    return len(text) * 3 // 4 - text.count("=")


def _pairs(title: str, pairs: JsonObject) -> list[str]:
    texts = [f"{key}={value}" if title == "Labels:" else f"{key}: {value}" for key, value in sorted(pairs.items())]
    return [f"{title if i == 0 else '':<13}{clean(text)}" for i, text in enumerate(texts or ["<none>"])]


def heading(key: str) -> str:
    """``terminationGracePeriodSeconds`` -> ``Termination Grace Period Seconds``."""
    words = "".join(f" {c}" if c.isupper() and i and not key[i - 1].isupper() else c for i, c in enumerate(key))
    return words[:1].upper() + words[1:]


def _fields(value: JsonObject, depth: int) -> list[str]:
    result: list[str] = []
    for key, item in sorted(value.items()):
        pad = "  " * depth + heading(key) + ":"
        if isinstance(item, dict):
            result += [pad, *_fields(item, depth + 1)]
        elif isinstance(item, list) and any(isinstance(i, dict) for i in item):
            result.append(pad)
            for entry in item:
                result += _fields(entry, depth + 1) if isinstance(entry, dict) else ["  " * (depth + 1) + str(entry)]
        elif isinstance(item, str) and "\n" in item:
            result += [pad, *("  " * (depth + 1) + clean(line) for line in item.splitlines())]
        else:
            shown = ", ".join(map(str, item)) if isinstance(item, list) else str(item)
            result.append(f"{pad} {clean(shown)}")
    return result


def events_text(context: Context, obj: JsonObject, kind: Kind) -> str:
    """The object's events, oldest first; for a VM also those of its instances, which tell why it does not run."""
    metadata = get_object(obj, "metadata")
    fields = f"involvedObject.name={get_str(metadata, 'name')}"
    queries = [f"{fields},involvedObject.uid={get_str(metadata, 'uid')}"]
    if kind.kind == VM.kind:
        queries.append(f"{fields},involvedObject.kind={VMI.kind}")
    path = path_of(EVENT.group, EVENT.version, EVENT.plural, get_str(metadata, "namespace") if kind.namespaced else "")
    items = [
        item for query in queries for item in get_list(context.client.get(path, {"fieldSelector": query}), "items")
    ]
    events = sorted((e for e in items if isinstance(e, dict)), key=lambda e: get_str(e, "lastTimestamp"))
    if not events:
        return "Events:  <none>"
    rows = [["Type", "Reason", "Last seen", "Count", "Message"]]
    for event in events:
        count = str(get_int(event, "count", 1))
        cells = [get_str(event, "type"), get_str(event, "reason"), get_str(event, "lastTimestamp"), count]
        rows.append([*cells, clean(get_str(event, "message"))])
    return "Events:\n" + "\n".join("  " + line for line in table_text(rows).splitlines())
