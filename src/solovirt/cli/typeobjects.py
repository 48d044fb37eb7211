"""Instancetypes, preferences and presets for commands that work on files: out of the same files, else of a daemon that
runs, else of the set that solovirt brings. Starts no daemon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from solovirt.api.decode import decode
from solovirt.api.meta import KubeObject
from solovirt.cli.client import ApiError, path_of
from solovirt.cli.manifests import unknown_kind
from solovirt.kit.errors import Unavailable
from solovirt.kit.jsontypes import JsonObject, get_list, get_str

if TYPE_CHECKING:
    from solovirt.api.resource import Resource
    from solovirt.cli.context import Context
    from solovirt.cli.manifests import Manifest

T = TypeVar("T", bound=KubeObject)


class TypeObjects:
    """``api.admission.Lookup``. Without a ``context`` no daemon is asked."""

    def __init__(self, manifests: Sequence[Manifest] = (), context: Context | None = None) -> None:
        self._manifests = manifests
        self._context = context
        self._shipped: dict[tuple[str, str], KubeObject] | None = None

    def find(self, res: Resource[T], namespace: str, name: str) -> T | None:
        """Raises BadRequest for a document of the files that cannot be read, NotFound for one of an unknown version."""
        for found in self._of_files(res):
            if found.metadata.name == name and found.metadata.namespace in ("", namespace):
                return found
        answer = self._ask(path_of(res.group, res.version, res.plural, namespace if res.namespaced else "", name))
        if answer is not None:
            return decode(res, answer, mode="Ignore").object
        kept = self._kept().get((res.kind, name))
        return kept if isinstance(kept, res.type) else None

    def every(self, res: Resource[T], namespace: str | None = None) -> Sequence[T]:
        """Those of the files come before others of the same name."""
        found = {obj.metadata.name: obj for obj in self._of_files(res)}
        answer = self._ask(path_of(res.group, res.version, res.plural, namespace or "")) or {}
        for item in get_list(answer, "items"):
            obj = decode(res, item, mode="Ignore").object
            found.setdefault(obj.metadata.name, obj)
        for kept in self._kept().values():
            if isinstance(kept, res.type):
                found.setdefault(kept.metadata.name, kept)
        return [found[name] for name in sorted(found)]

    def _of_files(self, res: Resource[T]) -> list[T]:
        return [decode(served, m.value, lines=m.lines).object for m in self._manifests if (served := _served(res, m))]

    def _ask(self, path: str) -> JsonObject | None:
        """A daemon's answer; None when there is no such object, or no daemon."""
        if self._context is None:
            return None
        endpoint = self._context.endpoint
        before, endpoint.autostart = endpoint.autostart, False
        try:
            return self._context.client.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        except Unavailable:
            self._context = None
            return None
        finally:
            endpoint.autostart = before

    def _kept(self) -> dict[tuple[str, str], KubeObject]:
        if self._shipped is None:
            from solovirt.api.instancetype.shipped.instancetypes import instancetypes
            from solovirt.api.instancetype.shipped.preferences import preferences

            self._shipped = {(obj.kind, obj.metadata.name): obj for obj in (*instancetypes(), *preferences())}
        return self._shipped


def _served(res: Resource[T], manifest: Manifest) -> Resource[T] | None:
    """``res`` in the version of a document that is of this kind. Raises NotFound for one that is not served."""
    group, _, version = get_str(manifest.value, "apiVersion").rpartition("/")
    if (group, get_str(manifest.value, "kind")) != (res.group, res.kind):
        return None
    if version == res.version:
        return res
    if version in res.other_versions:
        return res.at(version)
    raise unknown_kind(manifest)
