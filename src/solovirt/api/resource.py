"""What a kind is: its names, its struct, its table columns, its defaulting and validation.

Adding a kind is one module that builds a ``Resource`` and one entry in ``solovirt.api.registry``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from solovirt.api.admission import Admission
from solovirt.api.meta import KubeObject
from solovirt.kit.errors import Cause

T = TypeVar("T", bound=KubeObject)
Cell = str | int | bool | None

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Column(msgspec.Struct, Generic[T], frozen=True):
    """One table column. A cell of format ``date`` is an RFC 3339 time that the table humanises ("15s")."""

    name: str
    cell: Callable[[T], Cell]
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


class Scale(msgspec.Struct, Generic[T], frozen=True):
    """How the ``scale`` subresource (autoscaling/v1) reads and changes a kind: numbers, and a label selector."""

    wanted: Callable[[T], int]
    present: Callable[[T], int]
    selector: Callable[[T], str]
    want: Callable[[T, int], None]


def _nothing(obj: T) -> None:
    """Kinds without defaults."""


def _no_causes(obj: T, old: T | None) -> list[Cause]:
    return []


def _no_warnings(obj: T) -> list[str]:
    return []


def only_metadata_fields(obj: T) -> Mapping[str, str]:
    return {}


class Resource(msgspec.Struct, Generic[T], frozen=True):
    """One kind of one group version.

    ``default`` mutates a decoded object on create and update, before ``validate``; ``validate`` gets the new object
    and, on update, the stored one, and returns every cause. ``spec_fields`` are the top-level fields whose change moves
    ``metadata.generation`` and which a ``/status`` write leaves alone. ``warn`` gives sentences about a
    written object that is accepted all the same. ``selectable`` gives the values of field
    selectors beyond metadata.name and metadata.namespace (e.g. ``involvedObject.name``). ``other_versions`` are served
    too, with the same struct; whatever version a client writes, the store keeps ``version``. ``admission`` is for rules
    that need other objects.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    type: type[T]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    columns: tuple[Column[T], ...] = ()
    has_status: bool = False
    verbs: tuple[str, ...] = ALL_VERBS
    default: Callable[[T], None] = _nothing
    validate: Callable[[T, T | None], list[Cause]] = _no_causes
    warn: Callable[[T], list[str]] = _no_warnings
    selectable: Callable[[T], Mapping[str, str]] = only_metadata_fields
    spec_fields: tuple[str, ...] = ("spec",)
    scale: Scale[T] | None = None
    other_versions: tuple[str, ...] = ()
    stored_version: str = ""
    admission: Admission[T] | None = None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def stored_api_version(self) -> str:
        """What objects of this kind carry in the store: the same for all of its versions."""
        version = self.stored_version or self.version
        return f"{self.group}/{version}" if self.group else version

    def at(self, version: str) -> Resource[T]:
        """The same kind as clients see it below another of its versions."""
        return msgspec.structs.replace(self, version=version, other_versions=(), stored_version=self.version)

    @property
    def key(self) -> str:
        """``virtualmachines.kubevirt.io``: the store's and the error messages' name of the kind."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular_key(self) -> str:
        return f"{self.singular}.{self.group}" if self.group else self.singular
