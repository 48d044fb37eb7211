"""``scale``: another number of replicas, through the ``scale`` subresource, as kubectl does it."""

from __future__ import annotations

import argparse

from solovirt.cli import targets
from solovirt.cli.client import ApiError, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import Kind
from solovirt.kit.errors import BadRequest, Conflict
from solovirt.kit.jsontypes import JsonObject, get_int, get_object

EPILOG = """examples:
  solovirt scale vmirs web --replicas=3
  solovirt scale vmpool/desktops --replicas=0
  solovirt scale vmpool desktops --current-replicas=2 --replicas=3
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("words", nargs="+", metavar="KIND[/NAME] [NAME ...]")
    parser.add_argument("--replicas", type=int, required=True, metavar="N", help="how many there shall be")
    parser.add_argument("--current-replicas", type=int, default=-1, metavar="N", help="only if N are wanted now")
    parser.add_argument("--dry-run", choices=("none", "server"), default="none")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if args.replicas < 0:
        raise BadRequest("the --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
    groups = targets.resolve(context, args.words)
    if not all(names for _, names in groups):
        raise BadRequest("no name was given", hint="for instance `solovirt scale vmirs NAME --replicas=2`")
    failed = 0
    for kind, names in groups:
        for name in names:
            try:
                _scale(args, context, kind, name)
            except (ApiError, Conflict) as error:
                from solovirt.cli.main import report

                report(error)
                failed = 1
                continue
            print(f"{kind.qualified}/{name} scaled{' (server dry run)' if args.dry_run == 'server' else ''}")
    return failed


def _scale(args: argparse.Namespace, context: Context, kind: Kind, name: str) -> None:
    path = path_of(kind.group, kind.version, kind.plural, context.namespace if kind.namespaced else "", name, "scale")
    change: JsonObject = {"spec": {"replicas": args.replicas}}
    try:
        if args.current_replicas >= 0:
            change["metadata"] = {"resourceVersion": _version_at(context, path, args.current_replicas)}
        query = {"dryRun": "All"} if args.dry_run == "server" else {}
        context.client.call("PATCH", path, query, change, content_type="application/merge-patch+json")
    except ApiError as error:
        if error.status == 404 and not error.is_status:
            raise BadRequest(
                f"cannot scale a {kind.singular}: it has no replicas", hint="vmirs and vmpool have"
            ) from None
        raise


def _version_at(context: Context, path: str, expected: int) -> str:
    """The version of the scale, if so many replicas are wanted now. Raises Conflict."""
    found = context.client.get(path)
    present = get_int(get_object(found, "spec"), "replicas")
    if present != expected:
        raise Conflict(f"expected replicas to be {expected}, was {present}")
    return str(get_object(found, "metadata").get("resourceVersion", ""))
