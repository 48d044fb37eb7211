"""docs/spec.md: every field of a VirtualMachine's spec, what becomes of it, and what shows that.

The fields come from the structs, what is said of them from ``docs/spec/*.toml``: a table for each field, keyed by its
path below the VMI spec without list indices ("vm:" before those of the VM alone), with ``becomes`` or ``refused`` (or
both, where some values are refused) and ``shown``: "golden:CASE", "tests/….py" or "tests/….py::test_name". A key that
ends with ".*" stands for a whole subtree of which nothing is compiled.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import inspect

from solovirt.api.kubevirt.virtualmachine import VirtualMachineSpec
from solovirt.api.meta import Model, ObjectMeta
from solovirt.kit import yaml
from solovirt.kit.json import Json

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = ROOT / "docs/spec"
DOCUMENT = ROOT / "docs/spec.md"
INSTANCE = "template.spec"
VM = "vm:"
TREE = ".*"


class Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is said of one field; ``becomes`` and ``refused`` are Markdown of one line."""

    shown: tuple[str, ...]
    becomes: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Field:
    """``path`` is how entries call it; ``type`` is for people; ``inner``: it has fields of its own."""

    path: str
    type: str
    inner: bool = False


# -- the fields ----------------------------------------------------------------------------------------------------


def fields(kind: type[Model] = VirtualMachineSpec) -> dict[str, Field]:
    """All fields of a VirtualMachine's spec in the order of the structs."""
    found = {}
    for path, described in _walk(inspect.type_info(kind), ""):
        name = path.removeprefix(f"{INSTANCE}.") if path.startswith(f"{INSTANCE}.") else VM + path
        inner = described is not None and any(True for _ in _walk(described, path))
        found[name] = Field(name, _type_name(described), inner)
    return found


def _walk(described: inspect.Type, path: str) -> Iterator[tuple[str, inspect.Type | None]]:
    """Below a type; None is the type of a field that is known and refused by name."""
    if isinstance(described, inspect.UnionType):
        for choice in described.types:
            yield from _walk(choice, path)
    elif isinstance(described, inspect.ListType):
        yield from _walk(described.item_type, path)
    elif isinstance(described, inspect.DictType):
        yield from _walk(described.value_type, path)
    elif isinstance(described, inspect.StructType) and described.cls is not ObjectMeta:
        for field in described.fields:
            place = f"{path}.{field.encode_name}" if path else field.encode_name
            yield place, field.type
            yield from _walk(field.type, place)
        refused = described.cls.__known_unsupported__ if issubclass(described.cls, Model) else frozenset()
        for name in sorted(refused):
            yield (f"{path}.{name}" if path else name), None


_NAMES: Mapping[type[inspect.Type], str] = {
    inspect.StrType: "string",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.StructType: "object",
    inspect.AnyType: "anything",
    inspect.CustomType: "anything",
}


def _type_name(described: inspect.Type | None) -> str:
    if described is None:
        return ""
    if isinstance(described, inspect.UnionType):
        names = [_type_name(choice) for choice in described.types if not isinstance(choice, inspect.NoneType)]
        return "quantity" if sorted(names) == ["integer", "number", "string"] else " or ".join(names)
    if isinstance(described, inspect.ListType):
        inner = _type_name(described.item_type)
        return f"list of {inner}s" if not inner.endswith("y") else f"list of {inner[:-1]}ies"
    if isinstance(described, inspect.DictType):
        return f"map of {_type_name(described.value_type)}"
    return _NAMES[type(described)]


# -- what is said of them ------------------------------------------------------------------------------------------


def entries(folder: Path = ENTRIES) -> dict[str, Entry]:
    """All entries. Raises ValueError naming the file for one that is not in order, or that stands there twice."""
    found: dict[str, Entry] = {}
    for file in sorted(folder.glob("*.toml")):
        try:
            read = msgspec.convert(tomllib.loads(file.read_text()), dict[str, Entry])
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"{file.name}: {error}") from error
        for key, entry in read.items():
            if key in found:
                raise ValueError(f"{file.name}: {key} has an entry elsewhere too")
            found[key] = entry
    return found


def entry_of(path: str, known: Mapping[str, Entry]) -> Entry | None:
    """The field's own entry, or that of the nearest subtree it is in."""
    if path in known:
        return known[path]
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        if found := known.get(".".join(parts[:end]) + TREE):
            return found
    return None


# -- what is wrong -------------------------------------------------------------------------------------------------


def missing(all_fields: Iterable[str], known: Mapping[str, Entry]) -> list[str]:
    """Fields of which nothing is said."""
    return [path for path in all_fields if entry_of(path, known) is None]


def unknown(all_fields: Mapping[str, Field], known: Mapping[str, Entry]) -> list[str]:
    """Entries of no field; subtrees without anything below them."""
    found = []
    for key in known:
        path = key.removesuffix(TREE)
        if path not in all_fields or (key != path and not all_fields[path].inner):
            found.append(key)
    return found


def unclear(known: Mapping[str, Entry]) -> list[str]:
    """Entries that say neither what becomes of the field nor why it is refused, or are no table cell, or show nothing.

    A whole subtree can only be refused or kept: what is compiled has fields that are told one by one.
    """
    return [key for key, entry in known.items() if not _is_clear(entry, whole_tree=key.endswith(TREE))]


def _is_clear(entry: Entry, *, whole_tree: bool) -> bool:
    text = entry.becomes + entry.refused
    if not text.strip() or "\n" in text or not entry.shown:
        return False
    return not whole_tree or bool(entry.refused) or "kept" in entry.becomes


def not_shown(known: Mapping[str, Entry], root: Path = ROOT) -> list[str]:
    """What ``shown`` names and is not there, or does not use the field."""
    return [
        f"{key}: {shown}: {problem}"
        for key, entry in known.items()
        for shown in entry.shown
        if (problem := _golden_problem(root, key, shown) if shown.startswith("golden:") else _test_problem(root, shown))
    ]


def _golden_problem(root: Path, key: str, shown: str) -> str:
    file = root / "tests/golden" / shown.removeprefix("golden:") / "vm.yaml"
    if not file.is_file():
        return "no such golden"
    [document] = yaml.load_all(file.read_bytes(), source=str(file))
    value = document.value
    assert isinstance(value, dict)
    spec = value.get("spec")
    if not key.startswith(VM) and value["kind"] == "VirtualMachine":
        spec = next(values(spec, INSTANCE.split(".")), None)
    parts = key.removeprefix(VM).removesuffix(TREE).split(".")
    return "" if any(True for _ in values(spec, parts)) else "its vm.yaml does not use the field"


def values(value: Json, parts: list[str]) -> Iterator[Json]:
    """Everything at a path, in whatever item of the lists on the way."""
    if isinstance(value, list):
        for item in value:
            yield from values(item, parts)
    elif not parts:
        yield value
    elif isinstance(value, dict) and parts[0] in value:
        if len(parts) == 1:
            yield value[parts[0]]
        else:
            yield from values(value[parts[0]], parts[1:])


def _test_problem(root: Path, shown: str) -> str:
    place, _, name = shown.partition("::")
    file = root / place
    if not place.startswith("tests/") or not file.is_file() or not file.name.startswith("test_"):
        return "no such test module"
    defined = rf"^\s*(?:async )?def {re.escape(name)}\("
    return "" if not name or re.search(defined, file.read_text(), re.MULTILINE) else "no such test in it"


# -- the document --------------------------------------------------------------------------------------------------


HEAD = """# Every field of the spec

<!-- Made by scripts/spec-doc out of the types and docs/spec/*.toml: edit those. -->

What becomes of each field of a VirtualMachine. Paths are those below `spec.template.spec` (of a VirtualMachineInstance:
below `spec`); the first sections have those of the VirtualMachine itself. "in part" means that some values are refused.
The last column names what shows it: a case of `tests/golden` or a test.
"""
COLUMNS = ("| field | type | | what it becomes | shown by |", "|---|---|---|---|---|")


def render(all_fields: Mapping[str, Field], known: Mapping[str, Entry]) -> str:
    """The whole document. Fields without an entry stand there with empty cells."""
    sections: dict[str, list[str]] = {}
    for field in all_fields.values():
        sections.setdefault(_section(field, all_fields), []).append(_row(field, entry_of(field.path, known)))
    supported = sum(entry is not None and bool(entry.becomes) for entry in (entry_of(p, known) for p in all_fields))
    lines = [HEAD, f"{len(all_fields)} fields, {supported} of them supported.", ""]
    for title, rows in sections.items():
        lines += [
            f"## {title}",
            "",
            "| field | type | | what it becomes | shown by |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    return "\n".join(lines)


def _section(field: Field, all_fields: Mapping[str, Field]) -> str:
    """What a field is told with: a part of the domain, a kind of device, a source of volumes, a field of the spec."""
    if field.path.startswith(VM):
        return "DataVolume templates" if field.path.startswith(f"{VM}dataVolumeTemplates") else "VirtualMachine"
    parts = field.path.split(".")
    depth = {"domain": 2, "volumes": 2}.get(parts[0], 1)
    if parts[:2] == ["domain", "devices"]:
        depth = 3
    top = ".".join(parts[:depth])
    if all_fields[top].inner and len(parts) >= depth:
        return f"`{top}`"
    return f"`{'.'.join(parts[: depth - 1])}`" if depth > 1 else "The instance"


def _row(field: Field, entry: Entry | None) -> str:
    cells = [f"`{field.path.removeprefix(VM)}`", field.type]
    if entry is None:
        cells += ["", "", ""]
    else:
        verdict = "refused" if not entry.becomes else "in part" if entry.refused else "yes"
        text = "; refused: ".join(part for part in (entry.becomes, entry.refused) if part)
        cells += [verdict, text, "<br>".join(_shown(shown) for shown in entry.shown)]
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"


def _shown(shown: str) -> str:
    kind, _, name = shown.partition("golden:")
    return f"golden `{name}`" if not kind and name else f"`{shown}`"
