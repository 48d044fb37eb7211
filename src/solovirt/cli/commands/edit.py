"""``edit``: the object as YAML in the user's editor; what was changed is sent as a merge patch.

A refused or unreadable edit is opened again with the reason above it, so that no typing is lost.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import tempfile

from solovirt.cli import targets, threeway
from solovirt.cli.client import ApiError, path_of
from solovirt.cli.context import Context
from solovirt.kit.errors import BadRequest, Conflict, SolovirtError
from solovirt.kit.jsontypes import JsonObject, get_object, get_str

HEADER = """# Edit the object below. Lines that begin with '#' are ignored, and an empty file aborts the edit.
# If it cannot be saved, this file is opened again with the reason.
#
"""


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = "The editor is $KUBE_EDITOR, $EDITOR or vi."
    parser.add_argument("words", nargs="+", metavar="KIND[/NAME] [NAME]")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    kind, names = targets.one(context, args.words)
    if len(names) != 1:
        raise BadRequest("edit takes one name", hint="solovirt edit vm NAME")
    path = path_of(kind.group, kind.version, kind.plural, context.namespace if kind.namespaced else "", names[0])
    changed = Edit(context, path).run()
    print(f"{kind.qualified}/{names[0]} {'edited' if changed else 'unchanged; edit cancelled'}")
    return 0


class Edit:
    """One object between the server and the editor."""

    def __init__(self, context: Context, path: str) -> None:
        self._context, self._path = context, path
        self._original = self._fetch()

    def run(self) -> bool:
        """Was anything saved? Raises BadRequest when the user gives up after a refusal."""
        from solovirt.kit import yaml

        text, reason, merged = yaml.dump(self._original), "", False
        with tempfile.TemporaryDirectory(prefix="solovirt-edit-") as folder:
            file = os.path.join(folder, "object.yaml")
            while True:
                edited = _editor(file, HEADER + reason + text)
                body = "".join(line for line in edited.splitlines(keepends=True) if not line.startswith("#"))
                if not body.strip() or (body.strip() == text.strip() and not merged):
                    if reason:
                        raise BadRequest(f"edit cancelled, nothing was saved:\n{reason}")
                    return False
                try:
                    return self._save(body)
                except Overtaken as overtaken:
                    text, reason, merged = yaml.dump(overtaken.merged), _comment(str(overtaken)), True
                except SolovirtError as error:
                    text, reason, merged = body, _comment(str(error)), False

    def _fetch(self) -> JsonObject:
        found = self._context.client.get(self._path)
        found.pop("status", None)
        get_object(found, "metadata").pop("managedFields", None)
        return found

    def _save(self, body: str) -> bool:
        from solovirt.kit import yaml

        value = yaml.load_all(body, source="the edited object")[0].value
        if not isinstance(value, dict):
            raise BadRequest("the edited object is not a mapping")
        change = threeway.patch(self._original, self._original, value)
        while change:
            try:
                self._send(change)
                return True
            except ApiError as error:
                if error.reason != "Conflict":
                    raise
            self._rebase(change)
        return False

    def _send(self, change: JsonObject) -> None:
        """Only onto the object that was edited: its version goes along."""
        version = get_str(get_object(self._original, "metadata"), "resourceVersion")
        body = {**change, "metadata": {"resourceVersion": version, **get_object(change, "metadata")}}
        query = {"fieldManager": "solovirt-edit", "fieldValidation": "Strict"}
        self._context.client.call("PATCH", self._path, query, body, content_type="application/merge-patch+json")

    def _rebase(self, change: JsonObject) -> None:
        """Take the object as it is now. Raises Overtaken when somebody else changed the same fields."""
        fresh = self._fetch()
        theirs = threeway.patch(self._original, self._original, fresh)
        self._original = fresh
        if both := threeway.disagreements(change, theirs):
            raise Overtaken(both, threeway.merged(fresh, change))


class Overtaken(Conflict):
    """Somebody else changed what is being edited. ``merged`` has their other changes, and ours where both touched."""

    def __init__(self, fields: list[str], merged: JsonObject) -> None:
        super().__init__(
            f"somebody else changed {', '.join(fields)} meanwhile; your text stands below.\n"
            "Save to overwrite theirs, or empty the file to leave the object as it is."
        )
        self.merged = merged


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines()) + "#\n"


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
