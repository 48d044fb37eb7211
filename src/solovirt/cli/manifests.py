"""Reading manifests: files, folders, stdin; one or many documents; Lists unfolded."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, TypeVar

from solovirt.kit import yaml
from solovirt.kit.errors import BadRequest, Cause, NotFound, SolovirtError
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str
from solovirt.kit.linemap import split_field

E = TypeVar("E", bound=SolovirtError)

MAX_BYTES = 8 << 20
SUFFIXES = (".yaml", ".yml", ".json")
_LISTED = "`solovirt api-resources` lists the kinds; the others mean something in a cluster only"


class Manifest(NamedTuple):
    """One object of a file, with the lines of its keys (None for what is in no file)."""

    value: JsonObject
    source: str
    lines: yaml.LineMap | None

    @property
    def name(self) -> str:
        return get_str(get_object(self.value, "metadata"), "name")

    @property
    def namespace(self) -> str:
        return get_str(get_object(self.value, "metadata"), "namespace")

    def place(self, field: str) -> str:
        """``file:line:column`` of a field path such as ``spec.template.spec.volumes[0].name``, "" when not known.

        A field that is not in the file (a required one, a default) is placed at the nearest key above it.
        """
        steps = list(split_field(field))
        while steps and self.lines is not None:
            if found := self.lines.locate(tuple(steps)):
                return f"{self.source}:{found[0]}:{found[1]}"
            steps.pop()
        return ""


def read(paths: list[str], *, recursive: bool = False) -> list[Manifest]:
    """Every object of every file, in order. "-" is stdin.

    Raises BadRequest naming file, line and column.
    """
    found: list[Manifest] = []
    for path in paths:
        for file in _files(path, recursive):
            found += _objects(file)
    if not found:
        raise BadRequest(
            f"no objects in {', '.join(paths)}", hint="give -f a manifest, a folder of them, or - for stdin"
        )
    return found


def _files(path: str, recursive: bool) -> list[str]:
    if path == "-" or not os.path.isdir(path):
        return [path]
    found: list[str] = []
    for folder, folders, files in os.walk(path):
        folders.sort()
        found += [os.path.join(folder, f) for f in sorted(files) if f.endswith(SUFFIXES)]
        if not recursive:
            break
    return found


def _objects(path: str) -> list[Manifest]:
    source = "<stdin>" if path == "-" else path
    result: list[Manifest] = []
    for document in yaml.load_all(_bytes(path), source=source):
        if document.value is None:
            continue
        if not isinstance(document.value, dict):
            raise BadRequest(f"{source}: a manifest is a mapping, not {type(document.value).__name__}")
        if get_str(document.value, "kind").endswith("List") and "items" in document.value:
            result += _items(document.value, document.lines)
        else:
            result.append(Manifest(document.value, source, document.lines))
    for manifest in result:
        _check(manifest)
    return result


def _items(listed: JsonObject, lines: yaml.LineMap) -> list[Manifest]:
    found = []
    for index, item in enumerate(get_list(listed, "items")):
        own = lines.under(("items", index))
        if not isinstance(item, dict):
            raise BadRequest(f"{own.prefix('')}an item of a List is a mapping, not {type(item).__name__}")
        found.append(Manifest(item, lines.source, own))
    return found


def _bytes(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadRequest(f"the path {path!r} cannot be read: {error.strerror}") from error


def placed(error: E, manifest: Manifest) -> E:
    """The same error, now with line and column before each cause: it was raised where fields are known, and no file."""
    from solovirt.cli.main import named

    causes = error.causes or ((Cause(error.reason, error.message, error.field),) if error.field else ())
    error.causes = tuple(
        cause._replace(message=f"{place}: {named(cause)}") if (place := manifest.place(cause.field)) else cause
        for cause in causes
    )
    if len(error.causes) == 1:
        error.message = error.causes[0].message
    return error


def unknown_kind(manifest: Manifest) -> NotFound:
    """kubectl's sentence for a kind, or a version of it, that is not served; with the object's place and name."""
    kind, version = get_str(manifest.value, "kind"), get_str(manifest.value, "apiVersion")
    place = manifest.place("kind") or manifest.source
    text = f'{place}: {kind} "{manifest.name}": no matches for kind "{kind}" in version "{version}"'
    return NotFound(text, hint=hint_of_template(manifest) or _served(kind) or _LISTED)


def hint_of_template(manifest: Manifest) -> str:
    """What to do with a Template of OpenShift, which holds objects with parameters; "" for everything else."""
    if get_str(manifest.value, "kind") != "Template":
        return ""
    if get_str(manifest.value, "apiVersion") not in ("v1", "template.openshift.io/v1"):
        return ""
    return "a Template of OpenShift: `oc process --local -f FILE | solovirt apply -f -` takes the objects in it"


def _served(kind: str) -> str:
    """Where a kind is served, if it is."""
    from solovirt.api import registry

    served = [resource.api_version for resource in registry.SERVED if resource.kind == kind]
    return f"{kind} is served in {', '.join(served)}" if served else ""


def _check(manifest: Manifest) -> None:
    place = manifest.lines.prefix("") if manifest.lines is not None else f"{manifest.source}: "
    for key in ("apiVersion", "kind"):
        if not get_str(manifest.value, key):
            raise BadRequest(f"{place}{key} not set", field=key)
    if not manifest.name and not get_str(get_object(manifest.value, "metadata"), "generateName"):
        raise BadRequest(f"{place}metadata.name not set", field="metadata.name")
