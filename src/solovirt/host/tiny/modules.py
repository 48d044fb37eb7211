"""Kernel modules: which others one needs, and in which order they load.

Debian's kernel packages hold no modules.dep (depmod runs at installation), so the answers are read from the modules'
own ``.modinfo``. Knows nothing of what the modules are for.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from solovirt.kit.errors import HostError

_FIELD = re.compile(rb"(?:\A|\0)(depends|alias)=([^\0]*)(?=\0)")
_SIGNATURE_MARK = b"~Module signature appended~\n"


class Module(NamedTuple):
    """``path`` is below /lib/modules/<version>; ``depends`` and ``aliases`` as in its .modinfo."""

    name: str
    path: str
    depends: tuple[str, ...]
    aliases: tuple[str, ...]
    data: bytes


def read(root: Path, path: Path) -> Module:
    """One module file below ``root`` (a /lib/modules/<version>), decompressed."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    fields = [(key, value.decode()) for key, value in _FIELD.findall(data)]
    return Module(
        name=module_name(path.name),
        path=str(path.relative_to(root)).removesuffix(".xz"),
        depends=tuple(name for key, value in fields if key == b"depends" for name in value.split(",") if name),
        aliases=tuple(value for key, value in fields if key == b"alias"),
        data=data,
    )


def module_name(file_name: str) -> str:
    """The kernel's name of a module: dashes and underscores are one to it."""
    return file_name.removesuffix(".xz").removesuffix(".ko").replace("-", "_")


def find(root: Path) -> dict[str, Path]:
    """All module files below ``root`` by name; newer Debians compress them."""
    return {module_name(path.name): path for path in sorted([*root.rglob("*.ko"), *root.rglob("*.ko.xz")])}


def resolve(root: Path, wanted: Iterable[str]) -> list[Module]:
    """``wanted`` and all that they need, each after what it needs.

    Names that are not there as files are left out where ``modules.builtin`` says that the kernel has them in itself.
    Raises ``HostError`` (reason ``MissingModule``) naming the others.
    """
    files = find(root)
    inside = builtin(root)
    order: dict[str, Module] = {}
    missing: set[str] = set()

    def add(name: str, users: tuple[str, ...] = ()) -> None:
        if name in order or name in inside:
            return
        if name in users:
            raise HostError(f"modules {', '.join(users)} need each other", reason="MissingModule")
        if name not in files:
            missing.add(name)
            return
        module = read(root, files[name])
        for dependency in module.depends:
            add(module_name(dependency), (*users, name))
        order[name] = module

    for name in wanted:
        add(module_name(name))
    if missing:
        raise HostError(f"the kernel {root.name} has no module {', '.join(sorted(missing))}", reason="MissingModule")
    return list(order.values())


def builtin(root: Path) -> frozenset[str]:
    listing = root / "modules.builtin"
    if not listing.exists():
        return frozenset()
    return frozenset(module_name(Path(line).name) for line in listing.read_text(encoding="utf-8").splitlines() if line)


def dependency_table(modules: Iterable[Module]) -> str:
    """The text of modules.dep for modprobe: each module's file, then those of all that it needs, nearest first."""
    by_name: Mapping[str, Module] = {module.name: module for module in modules}
    lines = []
    for module in by_name.values():
        needed: dict[str, None] = {}
        _collect(module, by_name, needed)
        lines.append(f"{module.path}: {' '.join(by_name[name].path for name in needed)}".rstrip() + "\n")
    return "".join(lines)


def _collect(module: Module, by_name: Mapping[str, Module], needed: dict[str, None]) -> None:
    for dependency in module.depends:
        name = module_name(dependency)
        if name in by_name:
            needed.pop(name, None)
            needed[name] = None
            _collect(by_name[name], by_name, needed)


def alias_table(modules: Iterable[Module]) -> str:
    """The text of modules.alias."""
    return "".join(f"alias {alias} {module.name}\n" for module in modules for alias in module.aliases)


def unsigned(data: bytes) -> bytes:
    """A module without its signature (linux: scripts/sign-file.c): checking it takes longer than loading the module."""
    if not data.endswith(_SIGNATURE_MARK):
        return data
    trailer = data[-len(_SIGNATURE_MARK) - 12 : -len(_SIGNATURE_MARK)]
    length = int.from_bytes(trailer[8:12], "big")
    return data[: len(data) - len(_SIGNATURE_MARK) - 12 - length]
