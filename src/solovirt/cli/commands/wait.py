"""``wait``: until a condition holds, a field has a value, or an object is there or gone."""

from __future__ import annotations

import argparse
import time

from solovirt.cli import follow, targets
from solovirt.cli.client import path_of
from solovirt.cli.context import Context
from solovirt.cli.durations import seconds
from solovirt.cli.kinds import Kind
from solovirt.cli.progress import Progress
from solovirt.kit.errors import BadRequest, TimedOut
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str

EPILOG = """examples:
  solovirt wait vm hello --for=condition=Ready --timeout=2m
  solovirt wait vmi hello --for=condition=AgentConnected
  solovirt wait vmi hello --for=jsonpath='{.status.phase}'=Running
  solovirt wait vmi hello --for=delete
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("words", nargs="+", metavar="KIND[/NAME] [NAME ...]")
    parser.add_argument("--for", dest="goal", required=True, metavar="GOAL", help="condition=X, jsonpath=P=V, delete")
    parser.add_argument("--timeout", default="30s", metavar="TIME", help="default: 30s; 0 checks once")
    parser.add_argument("-l", "--selector", default="", metavar="LABELS")
    parser.add_argument("--all", action="store_true", help="all objects of the kind in the namespace")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    reached({}, args.goal)
    groups = targets.resolve(context, args.words)
    deadline = time.monotonic() + seconds(args.timeout)
    chosen = [(kind, name) for kind, names in groups for name in names or _listed(args, context, kind)]
    if not chosen and args.goal != "delete":
        raise BadRequest("no matching resources found")
    for kind, name in chosen:
        _wait_for(context, kind, name, args.goal, deadline)
        print(f"{kind.qualified}/{name} {'condition met' if args.goal != 'delete' else 'deleted'}", flush=True)
    return 0


def _listed(args: argparse.Namespace, context: Context, kind: Kind) -> list[str]:
    if not args.all and not args.selector:
        raise BadRequest("no name was given", hint="give names, -l or --all")
    path = path_of(kind.group, kind.version, kind.plural, context.namespace if kind.namespaced else "")
    listing = context.client.get(path, {"labelSelector": args.selector} if args.selector else None)
    return [get_str(get_object(i, "metadata"), "name") for i in get_list(listing, "items") if isinstance(i, dict)]


def _wait_for(context: Context, kind: Kind, name: str, goal: str, deadline: float) -> None:
    namespace = context.namespace if kind.namespaced else ""
    with Progress(quiet=True) as progress:
        for obj in follow.states(context.client, kind, namespace, name, deadline=deadline):
            if obj is None and goal not in ("delete", "create"):
                # Fails in the server's own words; should the object be back by now, what follows will show it.
                context.client.get(path_of(kind.group, kind.version, kind.plural, namespace, name))
            if reached(obj, goal):
                return
            progress.text(f"{name}: {summary(obj)}" if obj is not None else f"{name}: not there yet")
    raise TimedOut(f"timed out waiting for the condition on {kind.plural}/{name}")


def reached(obj: JsonObject | None, goal: str) -> bool:
    """Does the object (None: there is none) meet the goal? Raises BadRequest for a goal that cannot be read."""
    what, _, rest = goal.partition("=")
    if what in ("delete", "create") and not rest:
        return (obj is None) == (what == "delete")
    if what == "condition" and rest:
        kind, _, value = rest.partition("=")
        return _condition(obj or {}, kind).lower() == (value or "True").lower()
    if what == "jsonpath" and rest:
        path, found, value = rest.rpartition("=")
        if not found or path.count("{") != path.count("}"):
            path, value = rest, ""
        got = lookup(obj or {}, path)
        return got is not None if not value else _text(got) == value
    raise BadRequest(
        f"unrecognized condition: {goal!r}", hint="condition=NAME[=VALUE], jsonpath='{.a.b}'=VALUE, delete"
    )


def _condition(obj: JsonObject, kind: str) -> str:
    for condition in get_list(get_object(obj, "status"), "conditions"):
        if isinstance(condition, dict) and get_str(condition, "type").lower() == kind.lower():
            return get_str(condition, "status")
    return ""


def _text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def lookup(obj: JsonObject, path: str) -> Json:
    """The value at ``{.status.interfaces[0].ipAddress}``; None where there is nothing.

    Only plain steps are understood; filters and wildcards raise BadRequest.
    """
    steps = path.strip("'\" ").removeprefix("{").removesuffix("}").replace("[", ".[").split(".")
    value: Json = obj
    for step in filter(None, steps):
        if step.startswith("["):
            index = step.strip("[]")
            if not index.isdigit():
                raise BadRequest(f"jsonpath {path!r}: only [NUMBER] is understood in brackets")
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def summary(obj: JsonObject) -> str:
    """Where the object stands, in a few words."""
    status = get_object(obj, "status")
    words = get_str(status, "printableStatus") or get_str(status, "phase") or "no status yet"
    progress = get_str(status, "progress")
    return f"{words} {progress}".strip()
