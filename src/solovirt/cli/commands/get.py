"""``get``: lists and single objects, as tables of the server's columns or whole; ``-w`` follows the changes."""

from __future__ import annotations

import argparse

from solovirt.cli import targets
from solovirt.cli.client import TABLE, ApiError, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import Kind
from solovirt.cli.output import FORMATS, TablePrinter, show_object
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str

EPILOG = """examples:
  solovirt get vm                      the virtual machines of the namespace
  solovirt get vm,vmi -A               both kinds, all namespaces
  solovirt get vm/hello vmi/hello      an object of each kind
  solovirt get vmi hello -o yaml       one object, whole
  solovirt get vm -l app=web -w        follow the ones with a label
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "words", nargs="+", metavar="KIND[,KIND...] [NAME ...]", help="vm, vmi, dv, pvc, secret, cm, event, ns, all"
    )
    parser.add_argument("-o", "--output", default="", choices=("", *FORMATS), metavar="FORMAT", help="|".join(FORMATS))
    parser.add_argument("-l", "--selector", default="", metavar="LABELS", help="label selector: app=web,tier!=db")
    parser.add_argument("--field-selector", default="", metavar="FIELDS", help="e.g. metadata.name=hello")
    parser.add_argument("-w", "--watch", action="store_true", help="go on showing changes until ^C")
    parser.add_argument("--no-headers", action="store_true", help="rows only")
    parser.add_argument("--ignore-not-found", action="store_true", help="no error for a name that does not exist")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    groups = targets.resolve(context, args.words)
    if any(names for _, names in groups) and (args.selector or args.field_selector):
        raise BadRequest("selectors choose from all objects: give names, or -l and --field-selector")
    if args.watch:
        if len(groups) > 1 or len(groups[0][1]) > 1:
            raise BadRequest("you may only watch one kind, or one object, at a time")
        from solovirt.cli import watching

        ((kind, names),) = groups
        return watching.run(args, context, kind, names[0] if names else "")
    missing: list[ApiError] = []
    if args.output in ("yaml", "json", "name"):
        _whole(args, context, groups, missing)
    else:
        _tables(args, context, groups, missing)
    if missing:
        from solovirt.cli.main import report

        for error in missing:
            report(error)
    return 1 if missing else 0


def query(args: argparse.Namespace, name: str = "") -> dict[str, str]:
    fields = ",".join(f for f in (args.field_selector, f"metadata.name={name}" if name else "") if f)
    chosen = {"labelSelector": args.selector, "fieldSelector": fields}
    return {key: value for key, value in chosen.items() if value}


def scope(context: Context, kind: Kind) -> str:
    """Of an object: never all namespaces."""
    return context.namespace if kind.namespaced else ""


def collection(context: Context, kind: Kind) -> str:
    return path_of(kind.group, kind.version, kind.plural, context.scope if kind.namespaced else "")


def _tables(args: argparse.Namespace, context: Context, groups: targets.Targets, missing: list[ApiError]) -> None:
    shown = 0
    for kind, names in groups:
        table = _named(args, context, kind, names, missing) if names else all_pages(context, kind, query(args))
        if get_list(table, "rows"):
            if shown:
                print()
            printer(args, context, kind, prefix=len(groups) > 1).show(table)
            shown += 1
    if not shown and not missing and not any(names for _, names in groups):
        where = "" if context.all_namespaces or not groups[0][0].namespaced else f" in {context.namespace} namespace"
        context.note(f"No resources found{where}.")


def printer(args: argparse.Namespace, context: Context, kind: Kind, *, prefix: bool = False) -> TablePrinter:
    return TablePrinter(
        kind,
        wide=args.output == "wide",
        namespaces=context.all_namespaces and kind.namespaced,
        prefix=prefix,
        header=not args.no_headers,
    )


def _named(
    args: argparse.Namespace, context: Context, kind: Kind, names: list[str], missing: list[ApiError]
) -> JsonObject:
    """One table of all that are there."""
    tables = [t for name in names if (t := _one(args, context, kind, name, missing, accept=TABLE)) is not None]
    rows = [row for table in tables for row in get_list(table, "rows")]
    return {**tables[0], "rows": rows} if tables else {}


def all_pages(context: Context, kind: Kind, chosen: dict[str, str]) -> JsonObject:
    base = collection(context, kind)
    table = context.client.get(base, {**chosen, "limit": "500"}, accept=TABLE)
    rows = get_list(table, "rows")
    while token := get_str(get_object(table, "metadata"), "continue"):
        table = context.client.get(base, {**chosen, "limit": "500", "continue": token}, accept=TABLE)
        rows = rows + get_list(table, "rows")
    return {**table, "rows": rows}


def _whole(args: argparse.Namespace, context: Context, groups: targets.Targets, missing: list[ApiError]) -> None:
    items: list[JsonObject] = []
    for kind, names in groups:
        if names:
            items += [obj for name in names if (obj := _one(args, context, kind, name, missing)) is not None]
        else:
            items += _items(context, kind, query(args))
    named = sum(len(names) for _, names in groups)
    if args.output == "name":
        for item in items:
            print(f"{_qualified(groups, item)}/{get_str(get_object(item, 'metadata'), 'name')}")
    elif named == 1 and len(items) <= 1:
        for item in items:
            show_object(item, args.output)
    elif items or not named:
        whole: list[Json] = list(items)
        show_object(
            {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": whole}, args.output
        )


def _one(
    args: argparse.Namespace,
    context: Context,
    kind: Kind,
    name: str,
    missing: list[ApiError],
    *,
    accept: str = "application/json",
) -> JsonObject | None:
    """An object by name. One that is not there is told at the end: the others are shown all the same."""
    path = path_of(kind.group, kind.version, kind.plural, scope(context, kind), name)
    try:
        return context.client.get(path, accept=accept)
    except ApiError as error:
        if error.status != 404:
            raise
        if not args.ignore_not_found:
            missing.append(error)
        return None


def _items(context: Context, kind: Kind, chosen: dict[str, str]) -> list[JsonObject]:
    """List items carry no apiVersion and kind of their own in some servers; a List of them needs both."""
    items: list[JsonObject] = []
    base, token = collection(context, kind), ""
    while True:
        page = context.client.get(base, {**chosen, "limit": "500", **({"continue": token} if token else {})})
        for item in get_list(page, "items"):
            if isinstance(item, dict):
                items.append({"apiVersion": kind.api_version, "kind": kind.kind, **item})
        token = get_str(get_object(page, "metadata"), "continue")
        if not token:
            return items


def _qualified(groups: targets.Targets, item: JsonObject) -> str:
    return next((k.qualified for k, _ in groups if k.kind == get_str(item, "kind")), get_str(item, "kind").lower())
