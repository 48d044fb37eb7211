"""``delete``: by name, by label or by manifest; waits until the objects are gone unless told otherwise."""

from __future__ import annotations

import argparse
import time

from solovirt.cli import follow, targets
from solovirt.cli.client import ApiError, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import Kind, by_manifest
from solovirt.cli.progress import Progress
from solovirt.kit.errors import BadRequest, TimedOut
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str

EPILOG = """examples:
  solovirt delete vm hello
  solovirt delete -f examples/hello.yaml
  solovirt delete vm -l app=web --wait=false
  solovirt delete vmi hello --grace-period=0      pull the plug
"""

Target = tuple[Kind, str, str]


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("words", nargs="*", default=[], metavar="KIND[/NAME] [NAME ...]")
    parser.add_argument("-f", "--filename", action="append", default=[], metavar="FILE", help="file, folder or -")
    parser.add_argument("-R", "--recursive", action="store_true", help="folders with all their subfolders")
    parser.add_argument("-l", "--selector", default="", metavar="LABELS", help="label selector")
    parser.add_argument("--all", action="store_true", help="all objects of the kind in the namespace")
    parser.add_argument("--cascade", choices=("background", "foreground", "orphan"), default="background")
    parser.add_argument("--grace-period", type=int, default=-1, metavar="SECONDS", help="0 kills at once")
    parser.add_argument("--force", action="store_true", help="the same as --grace-period=0")
    parser.add_argument("--ignore-not-found", action="store_true", help="no error for what does not exist")
    parser.add_argument("--wait", choices=("true", "false"), nargs="?", const="true", default="true")
    parser.add_argument("--timeout", default="0s", metavar="TIME", help="give up waiting after (0s = never)")
    parser.add_argument("--dry-run", choices=("none", "server"), default="none")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    targets = _targets(args, context)
    body: JsonObject = {"propagationPolicy": args.cascade.capitalize()}
    if args.force or args.grace_period >= 0:
        body["gracePeriodSeconds"] = 0 if args.force else args.grace_period
    query = {"dryRun": "All"} if args.dry_run == "server" else {}
    failed, accepted = 0, []
    for target in targets:
        kind, namespace, name = target
        try:
            context.client.call("DELETE", path_of(kind.group, kind.version, kind.plural, namespace, name), query, body)
        except ApiError as error:
            if error.status == 404 and args.ignore_not_found:
                continue
            from solovirt.cli.main import report

            report(error)
            failed = 1
            continue
        print(f'{kind.qualified} "{name}" deleted{" (server dry run)" if query else ""}', flush=True)
        accepted.append(target)
    if args.wait == "true" and not query:
        _wait(context, accepted, args.timeout)
    return failed


def _targets(args: argparse.Namespace, context: Context) -> list[Target]:
    if args.filename:
        if args.words or args.selector or args.all:
            raise BadRequest("give -f, or kinds and names: not both")
        from solovirt.cli.manifests import read

        found: list[Target] = []
        for manifest in reversed(read(args.filename, recursive=args.recursive)):
            kind = by_manifest(context.client, get_str(manifest.value, "apiVersion"), get_str(manifest.value, "kind"))
            found.append((kind, (manifest.namespace or context.namespace) if kind.namespaced else "", manifest.name))
        return found
    if not args.words:
        raise BadRequest("nothing to delete was named", hint="`solovirt delete vm NAME` or `solovirt delete -f FILE`")
    groups = targets.resolve(context, args.words)
    if any(names for _, names in groups):
        if args.all or args.selector:
            raise BadRequest("give names, or -l or --all: not both")
    elif not args.all and not args.selector:
        raise BadRequest("resource(s) were provided, but no name was specified", hint="give names, -l or --all")
    return [target for kind, names in groups for target in _of_kind(args, context, kind, names)]


def _of_kind(args: argparse.Namespace, context: Context, kind: Kind, names: list[str]) -> list[Target]:
    scope = context.scope if kind.namespaced else ""
    if names:
        return [(kind, context.namespace if kind.namespaced else "", name) for name in names]
    query = {"labelSelector": args.selector} if args.selector else {}
    items = get_list(context.client.get(path_of(kind.group, kind.version, kind.plural, scope), query), "items")
    metas = [get_object(item, "metadata") for item in items if isinstance(item, dict)]
    return [(kind, get_str(m, "namespace"), get_str(m, "name")) for m in metas]


def _wait(context: Context, accepted: list[Target], timeout: str) -> None:
    """Until none of them is there. What took an object's name meanwhile is another object (another uid)."""
    from solovirt.cli.durations import seconds

    limit = seconds(timeout)
    deadline = time.monotonic() + limit if limit else None
    with Progress(quiet=True) as progress:
        for kind, namespace, name in accepted:
            uid = ""
            for obj in follow.states(context.client, kind, namespace, name, deadline=deadline):
                now = get_str(get_object(obj or {}, "metadata"), "uid")
                uid = uid or now
                if obj is None or now != uid:
                    break
                progress.text(f"waiting for {kind.singular} {name} to go (^C stops waiting, not the deletion)")
            else:
                raise TimedOut(f'timed out waiting for {kind.qualified} "{name}" to be gone')
