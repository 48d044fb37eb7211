"""``edit``: the object as YAML in the user's editor; what was changed is sent as a merge patch.

A refused or unreadable edit is opened again with the reason above it, so that no typing is lost.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import tempfile

from solovirt.cli import threeway
from solovirt.cli.client import path_of
from solovirt.cli.commands.get import resolve
from solovirt.cli.context import Context
from solovirt.kit.errors import BadRequest, SolovirtError
from solovirt.kit.jsontypes import JsonObject, get_object

HEADER = """# Edit the object below. Lines that begin with '#' are ignored, and an empty file aborts the edit.
# If it cannot be saved, this file is opened again with the reason.
#
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = "The editor is $KUBE_EDITOR, $EDITOR or vi."
    parser.add_argument("kinds", metavar="KIND[/NAME]")
    parser.add_argument("names", nargs="*", metavar="NAME")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    kinds, names = resolve(context, args.kinds, args.names)
    if len(names) != 1:
        raise BadRequest("edit takes one name", hint="solovirt edit vm NAME")
    kind = kinds[0]
    path = path_of(kind.group, kind.version, kind.plural, context.namespace if kind.namespaced else "", names[0])
    original = context.client.get(path)
    original.pop("status", None)
    get_object(original, "metadata").pop("managedFields", None)
    changed = _edit_until_accepted(context, path, original)
    print(f"{kind.qualified}/{names[0]} {'edited' if changed else 'unchanged; edit cancelled'}")
    return 0


def _edit_until_accepted(context: Context, path: str, original: JsonObject) -> bool:
    from solovirt.kit import yaml

    text, reason = yaml.dump(original), ""
    with tempfile.TemporaryDirectory(prefix="solovirt-edit-") as folder:
        file = os.path.join(folder, "object.yaml")
        while True:
            edited = _editor(file, HEADER + reason + text)
            body = "".join(line for line in edited.splitlines(keepends=True) if not line.startswith("#"))
            if body.strip() in ("", text.strip()):
                if reason:
                    raise BadRequest(f"edit cancelled, nothing was saved:\n{reason}")
                return False
            try:
                return _save(context, path, original, body)
            except SolovirtError as error:
                text, reason = body, "".join(f"# {line}\n" for line in str(error).splitlines()) + "#\n"


def _editor(file: str, content: str) -> str:
    with open(file, "w", encoding="utf-8") as handle:
        handle.write(content)
    command = os.environ.get("KUBE_EDITOR") or os.environ.get("EDITOR") or "vi"
    try:
        done = subprocess.run([*shlex.split(command), file], check=False)
    except OSError as error:
        raise BadRequest(f"the editor {command!r} cannot be started: {error.strerror}", hint="set EDITOR") from error
    if done.returncode:
        raise BadRequest(f"the editor {command!r} left with exit code {done.returncode}; nothing was saved")
    with open(file, encoding="utf-8") as handle:
        return handle.read()


def _save(context: Context, path: str, original: JsonObject, body: str) -> bool:
    from solovirt.kit import yaml

    value = yaml.load_all(body, source="the edited object")[0].value
    if not isinstance(value, dict):
        raise BadRequest("the edited object is not a mapping")
    change = threeway.patch(original, original, value)
    if not change:
        return False
    query = {"fieldManager": "solovirt-edit", "fieldValidation": "Strict"}
    context.client.call("PATCH", path, query, change, content_type="application/merge-patch+json")
    return True
