"""``apply`` and ``create``: manifests to objects, with kubectl's three-way merge and words."""

from __future__ import annotations

import argparse

from solovirt.cli import threeway
from solovirt.cli.client import ApiError, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import Kind, UnknownKind, by_manifest
from solovirt.cli.manifests import Manifest, placed, read, unknown_kind
from solovirt.cli.output import show_object
from solovirt.kit.errors import BadRequest, SolovirtError
from solovirt.kit.jsontypes import JsonObject, get_object, get_str

EPILOG = """examples:
  solovirt apply -f examples/hello.yaml
  solovirt apply -f folder/ --dry-run=server
  cat vm.yaml | solovirt apply -f -
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("-f", "--filename", action="append", required=True, metavar="FILE", help="file, folder or -")
    parser.add_argument("-R", "--recursive", action="store_true", help="folders with all their subfolders")
    parser.add_argument("--dry-run", choices=("none", "server", "client"), default="none", help="check, write nothing")
    parser.add_argument("--validate", choices=("strict", "warn", "ignore"), default="strict", help="unknown fields")
    parser.add_argument("-o", "--output", default="", choices=("", "yaml", "json", "name"), help="show the result")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    manifests = read(args.filename, recursive=args.recursive)
    failures = check(manifests, args.validate)
    if failures:
        raise failures[0] if len(failures) == 1 else together(failures)
    failed = 0
    for manifest in manifests:
        try:
            _one(args, context, verb, manifest)
        except (ApiError, UnknownKind) as error:
            from solovirt.cli.main import report

            report(placed(error, manifest) if isinstance(error, ApiError) else unknown_kind(manifest))
            failed = 1
    return failed


def check(manifests: list[Manifest], mode: str) -> list[SolovirtError]:
    """Decode what we know here, because only here the lines of the file are known. The server checks again."""
    from solovirt.api import decode, registry

    failures: list[SolovirtError] = []
    for manifest in manifests:
        resource = registry.by_kind(get_str(manifest.value, "apiVersion"), get_str(manifest.value, "kind"))
        if resource is None or mode != "strict":
            continue
        try:
            decode.decode(resource, manifest.value, mode="Strict", lines=manifest.lines)
        except SolovirtError as error:
            failures.append(error)
    return failures


def together(failures: list[SolovirtError]) -> SolovirtError:
    causes = [cause for failure in failures for cause in failure.causes]
    return BadRequest("\n".join(f.message for f in failures), causes=causes)


def _one(args: argparse.Namespace, context: Context, verb: str, manifest: Manifest) -> None:
    kind = by_manifest(context.client, get_str(manifest.value, "apiVersion"), get_str(manifest.value, "kind"))
    namespace = _namespace(context, kind, manifest)
    if args.dry_run == "client":
        _say(args, kind, manifest.value, "created (dry run)")
        return
    query = {"fieldManager": f"solovirt-{verb}", "fieldValidation": args.validate.capitalize()}
    if args.dry_run == "server":
        query["dryRun"] = "All"
    if verb == "create" or not manifest.name:
        result = context.client.call("POST", _path(kind, namespace), query, manifest.value)
        _say(args, kind, result, "created")
        return
    live = _live(context, kind, namespace, manifest.name)
    wanted = threeway.with_annotation(manifest.value)
    if live is None:
        _say(args, kind, context.client.call("POST", _path(kind, namespace), query, wanted), "created")
        return
    change = threeway.patch(threeway.last_applied(live), live, wanted)
    change.pop("status", None)
    result = live
    if change:
        path = _path(kind, namespace, manifest.name)
        result = context.client.call("PATCH", path, query, change, content_type="application/merge-patch+json")
    _say(args, kind, result, "unchanged" if _content(result) == _content(live) else "configured")


def _content(obj: JsonObject) -> JsonObject:
    """An object without what every write moves and what a re-apply of the same manifest leaves as it was."""
    metadata = get_object(obj, "metadata")
    annotations = {k: v for k, v in get_object(metadata, "annotations").items() if k != threeway.ANNOTATION}
    kept = {k: v for k, v in metadata.items() if k not in ("resourceVersion", "managedFields", "generation")}
    return {**{k: v for k, v in obj.items() if k != "status"}, "metadata": {**kept, "annotations": annotations}}


def _namespace(context: Context, kind: Kind, manifest: Manifest) -> str:
    if not kind.namespaced:
        return ""
    if manifest.namespace and context.namespace_option and manifest.namespace != context.namespace_option:
        raise BadRequest(
            f"the namespace from the provided object {manifest.namespace!r} does not match the namespace "
            f"{context.namespace_option!r}",
            hint=f"pass --namespace={manifest.namespace} or leave it out",
        )
    return manifest.namespace or context.namespace


def _path(kind: Kind, namespace: str, name: str = "") -> str:
    return path_of(kind.group, kind.version, kind.plural, namespace, name)


def _live(context: Context, kind: Kind, namespace: str, name: str) -> JsonObject | None:
    try:
        return context.client.get(_path(kind, namespace, name))
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _say(args: argparse.Namespace, kind: Kind, result: JsonObject, what: str) -> None:
    name = get_str(get_object(result, "metadata"), "name")
    if args.output in ("yaml", "json"):
        show_object(result, args.output)
    elif args.output == "name":
        print(f"{kind.qualified}/{name}")
    else:
        print(f"{kind.qualified}/{name} {what}{' (server dry run)' if args.dry_run == 'server' else ''}")
