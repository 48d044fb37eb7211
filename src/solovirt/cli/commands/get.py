"""``get``: lists and single objects, as tables of the server's columns or whole; ``-w`` follows the changes."""

from __future__ import annotations

import argparse

from solovirt.cli.client import TABLE, ApiError, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import CATEGORY_ALL, Kind, lookup
from solovirt.cli.output import FORMATS, TablePrinter, show_object
from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str

EPILOG = """examples:
  solovirt get vm                      the virtual machines of the namespace
  solovirt get vm,vmi -A               both kinds, all namespaces
  solovirt get vmi hello -o yaml       one object, whole
  solovirt get vm -l app=web -w        follow the ones with a label
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("kinds", metavar="KIND[,KIND...][/NAME]", help="vm, vmi, dv, pvc, secret, cm, event, ns, all")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("-o", "--output", default="", choices=("", *FORMATS), metavar="FORMAT", help="|".join(FORMATS))
    parser.add_argument("-l", "--selector", default="", metavar="LABELS", help="label selector: app=web,tier!=db")
    parser.add_argument("--field-selector", default="", metavar="FIELDS", help="e.g. metadata.name=hello")
    parser.add_argument("-w", "--watch", action="store_true", help="go on showing changes until ^C")
    parser.add_argument("--no-headers", action="store_true", help="rows only")
    parser.add_argument("--ignore-not-found", action="store_true", help="no error for a name that does not exist")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    kinds, names = resolve(context, args.kinds, args.names)
    if args.watch and len(kinds) > 1:
        raise BadRequest("you may only watch one kind at a time")
    if args.output in ("yaml", "json", "name"):
        return _follow_whole(args, context, kinds[0], names) if args.watch else _whole(args, context, kinds, names)
    found = False
    for kind in kinds:
        found = _tables(args, context, kind, names, prefix=len(kinds) > 1, gap=found) or found
    if not found and not args.watch and not (names and args.ignore_not_found):
        where = "" if context.all_namespaces or not kinds[0].namespaced else f" in {context.namespace} namespace"
        context.note(f"No resources found{where}.")
    return 0


def resolve(context: Context, words: str, names: list[str]) -> tuple[list[Kind], list[str]]:
    """``vm,vmi`` or ``vm/name``: the kinds and the names."""
    if "/" in words:
        word, _, name = words.partition("/")
        return [lookup(context.client, word)], [name, *names]
    kinds = [k for word in words.split(",") if word for k in _kinds_of(context, word)]
    if not kinds:
        raise BadRequest("no kind given", hint="for instance `solovirt get vm`")
    return kinds, names


def _kinds_of(context: Context, word: str) -> tuple[Kind, ...]:
    return CATEGORY_ALL if word == "all" else (lookup(context.client, word),)


def _query(args: argparse.Namespace, name: str = "") -> dict[str, str]:
    fields = ",".join(f for f in (args.field_selector, f"metadata.name={name}" if name else "") if f)
    query = {"labelSelector": args.selector, "fieldSelector": fields}
    return {key: value for key, value in query.items() if value}


def _scope(context: Context, kind: Kind) -> str:
    return context.scope if kind.namespaced else ""


def _tables(
    args: argparse.Namespace, context: Context, kind: Kind, names: list[str], *, prefix: bool, gap: bool
) -> bool:
    printer = TablePrinter(
        kind,
        wide=args.output == "wide",
        namespaces=context.all_namespaces and kind.namespaced,
        prefix=prefix,
        header=not args.no_headers,
    )
    base = path_of(kind.group, kind.version, kind.plural, _scope(context, kind))
    shown, revision = False, ""
    for name in names or [""]:
        try:
            table = (
                context.client.get(_path(context, kind, name), accept=TABLE)
                if name
                else _all_pages(context, base, _query(args))
            )
        except ApiError as error:
            if name and error.status == 404 and args.ignore_not_found:
                continue
            raise
        revision = get_str(get_object(table, "metadata"), "resourceVersion")
        if get_list(table, "rows") or args.watch:
            if gap and not shown:
                print()
            printer.show(table)
            shown = True
    if args.watch:
        _follow(args, context, base, printer, names, revision)
    return shown


def _all_pages(context: Context, base: str, query: dict[str, str]) -> JsonObject:
    table = context.client.get(base, {**query, "limit": "500"}, accept=TABLE)
    rows = get_list(table, "rows")
    while token := get_str(get_object(table, "metadata"), "continue"):
        table = context.client.get(base, {**query, "limit": "500", "continue": token}, accept=TABLE)
        rows = rows + get_list(table, "rows")
    return {**table, "rows": rows}


def _path(context: Context, kind: Kind, name: str) -> str:
    return path_of(kind.group, kind.version, kind.plural, context.namespace if kind.namespaced else "", name)


def _follow(
    args: argparse.Namespace, context: Context, base: str, printer: TablePrinter, names: list[str], revision: str
) -> None:
    query = {**_query(args, names[0] if names else ""), "resourceVersion": revision}
    for event in context.client.watch(base, query, accept=TABLE):
        if event.get("type") != "BOOKMARK":
            printer.show(get_object(event, "object"))


def _follow_whole(args: argparse.Namespace, context: Context, kind: Kind, names: list[str]) -> int:
    """Whole objects as they change, each a YAML document or a JSON value of its own."""
    base = path_of(kind.group, kind.version, kind.plural, _scope(context, kind))
    for event in context.client.watch(base, _query(args, names[0] if names else "")):
        obj = get_object(event, "object")
        if args.output == "name":
            print(f"{kind.qualified}/{get_str(get_object(obj, 'metadata'), 'name')}", flush=True)
        else:
            if args.output == "yaml":
                print("---")
            show_object(obj, args.output)
    return 0


def _whole(args: argparse.Namespace, context: Context, kinds: list[Kind], names: list[str]) -> int:
    items: list[Json] = []
    for kind in kinds:
        if names:
            items += [obj for name in names if (obj := _one(args, context, kind, name)) is not None]
        else:
            base = path_of(kind.group, kind.version, kind.plural, _scope(context, kind))
            items += _items(context, kind, base, _query(args))
    if args.output == "name":
        for item in items:
            if isinstance(item, dict):
                print(f"{_qualified(kinds, item)}/{get_str(get_object(item, 'metadata'), 'name')}")
    elif len(names) == 1 and len(items) == 1:
        show_object(items[0], args.output)
    elif items or not args.ignore_not_found:
        show_object(
            {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}, args.output
        )
    return 0


def _one(args: argparse.Namespace, context: Context, kind: Kind, name: str) -> JsonObject | None:
    try:
        return context.client.get(_path(context, kind, name))
    except ApiError as error:
        if error.status == 404 and args.ignore_not_found:
            return None
        raise


def _items(context: Context, kind: Kind, base: str, query: dict[str, str]) -> list[Json]:
    """List items carry no apiVersion and kind of their own in some servers; a List of them needs both."""
    items: list[Json] = []
    token = ""
    while True:
        page = context.client.get(base, {**query, "limit": "500", **({"continue": token} if token else {})})
        for item in get_list(page, "items"):
            if isinstance(item, dict):
                items.append({"apiVersion": kind.api_version, "kind": kind.kind, **item})
        token = get_str(get_object(page, "metadata"), "continue")
        if not token:
            return items


def _qualified(kinds: list[Kind], item: JsonObject) -> str:
    return next((k.qualified for k in kinds if k.kind == get_str(item, "kind")), get_str(item, "kind").lower())
