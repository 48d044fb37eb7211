"""Owners and their dependents: what is owned by nobody any more goes (background), owners wait (foreground).

Source: kubernetes pkg/controller/garbagecollector. Must not know any kind.
"""

from __future__ import annotations

import logging

from solovirt.api import registry
from solovirt.api.meta import KubeObject, OwnerReference
from solovirt.api.registry import AnyResource
from solovirt.kit.aio import SerialQueues
from solovirt.kit.errors import Conflict, NotFound
from solovirt.store.objects import Objects

log = logging.getLogger(__name__)

FOREGROUND = "foregroundDeletion"


class GarbageCollector:
    """Its queue holds uids of owners that are gone or being deleted in the foreground."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._owners: dict[str, tuple[AnyResource, str, str]] = {}
        self.queue: SerialQueues[str] = SerialQueues(self.collect, name="garbage")

    def saw(self, resource: AnyResource, obj: KubeObject, *, deleted: bool) -> None:
        """A change of any object."""
        meta = obj.metadata
        if deleted:
            self._owners.pop(meta.uid, None)
            self.queue.add(meta.uid)
            # An owner that waits in the foreground may wait for this one.
            for ref in meta.owner_references:
                if ref.uid in self._owners:
                    self.queue.add(ref.uid)
        elif meta.deletion_timestamp is not None and FOREGROUND in meta.finalizers:
            self._owners[meta.uid] = (resource, meta.namespace, meta.name)
            self.queue.add(meta.uid)

    def scan(self) -> None:
        """Looks for dependents whose owners went while nobody watched."""
        for resource in registry.ALL:
            for obj in self._objects.list(resource).items:
                for ref in obj.metadata.owner_references:
                    if _owner(self._objects, obj, ref) is None:
                        self.queue.add(ref.uid)

    async def collect(self, uid: str) -> None:
        """Deletes the dependents that have no owner but this one; lets a waiting owner go when none is left."""
        waiting = self._owners.get(uid)
        dependents = list(self._objects.dependents(uid))
        for resource, obj in dependents:
            if waiting is None and not self._all_gone(obj):
                continue
            if waiting is not None and not _blocks(obj, uid):
                continue
            if obj.metadata.deletion_timestamp is None:
                await self._delete(resource, obj)
        if waiting is not None and not any(_blocks(obj, uid) for _, obj in self._objects.dependents(uid)):
            await self._release(uid, *waiting)

    def _all_gone(self, obj: KubeObject) -> bool:
        return all(_owner(self._objects, obj, ref) is None for ref in obj.metadata.owner_references)

    async def _delete(self, resource: AnyResource, obj: KubeObject) -> None:
        meta = obj.metadata
        try:
            await self._objects.delete(resource, meta.namespace, meta.name, uid=meta.uid)
        except (NotFound, Conflict):
            return
        log.info("%s %s/%s went with its owner", resource.kind, meta.namespace, meta.name)

    async def _release(self, uid: str, resource: AnyResource, namespace: str, name: str) -> None:
        def change(found: KubeObject) -> bool:
            if found.metadata.uid != uid or FOREGROUND not in found.metadata.finalizers:
                return False
            found.metadata.finalizers.remove(FOREGROUND)
            return True

        try:
            await self._objects.modify(resource, namespace, name, change)
        except NotFound:
            self._owners.pop(uid, None)


def _blocks(obj: KubeObject, uid: str) -> bool:
    return any(ref.uid == uid and ref.block_owner_deletion for ref in obj.metadata.owner_references)


def _owner(objects: Objects, obj: KubeObject, ref: OwnerReference) -> KubeObject | None:
    """The owner, if it exists. One of a kind that we do not know counts as existing: it is not ours to judge."""
    resource = registry.by_kind(ref.api_version, ref.kind)
    if resource is None:
        return obj
    found = objects.find(resource, obj.metadata.namespace if resource.namespaced else "", ref.name)
    return found if found is not None and found.metadata.uid == ref.uid else None
