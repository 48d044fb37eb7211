"""The objects of solovirt with Kubernetes' semantics: the store's front door.

All methods belong to one event loop. What a call returns is the caller's own copy; what a write returns has reached the
disk. Must not know what any kind means: that is in its ``Resource``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

import msgspec

from solovirt.api import registry
from solovirt.api.causes import Causes
from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.api.selectors import FieldSelector, LabelSelector
from solovirt.kit import timestamps
from solovirt.kit.errors import Cause, SolovirtError
from solovirt.kit.json import encode
from solovirt.store import deletion, loading, messages, metadata, namespaces
from solovirt.store.ledger import Draft, Ledger
from solovirt.store.records import Records
from solovirt.store.stored import Key, Stored
from solovirt.store.watch import Event, Watch

T = TypeVar("T", bound=KubeObject)


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """Objects sorted by namespace and name, as they were at ``revision``: a watch since it continues them."""

    items: list[T]
    revision: int


class Objects:
    """See the module. Errors are those of ``solovirt.kit.errors``; a full disk is a HostError StorageFull."""

    def __init__(self, ledger: Ledger, clock: Callable[[], str]) -> None:
        self.records = Records(ledger)
        self._ledger = ledger
        self._clock = clock
        self._decoders: dict[type[KubeObject], msgspec.json.Decoder[KubeObject]] = {}

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], str] = timestamps.now) -> Objects:
        """Opens or creates the database and reads it. Blocks.

        Raises HostError: DatabaseInUse, DatabaseCorrupt, DatabaseTooNew, DatabaseForeign, StorageFull, StorageError.
        """
        return cls(loading.open_ledger(path, clock()), clock)

    async def close(self) -> None:
        """Finishes the writes under way, ends all watches. May be called again."""
        await self._ledger.close()

    @property
    def revision(self) -> int:
        """The resourceVersion of the newest change that anybody can see."""
        return self._ledger.hub.revision

    @property
    def commits(self) -> int:
        """Transactions since the store was opened."""
        return self._ledger.writer.commits

    def get(self, res: Resource[T], namespace: str, name: str) -> T:
        """Raises NotFound."""
        found = self.find(res, namespace, name)
        if found is None:
            raise messages.not_found(res.key, name)
        return found

    def find(self, res: Resource[T], namespace: str, name: str) -> T | None:
        stored = self._ledger.committed.get(_key(res, namespace, name))
        return None if stored is None else self.decode(res, stored.data)

    def list(
        self,
        res: Resource[T],
        namespace: str | None = None,
        *,
        labels: LabelSelector | None = None,
        fields: FieldSelector | None = None,
    ) -> Listing[T]:
        """Objects of one namespace, or of all (None). Raises BadRequest (a field that the kind cannot be asked for)."""
        items: list[T] = []
        name = fields.value_of("metadata.name") if fields is not None else None
        for stored in self._ledger.committed.of_kind(res.key, namespace):
            if name not in (None, stored.key.name) or (labels is not None and not labels.matches(stored.labels)):
                continue
            obj = self.decode(res, stored.data)
            if fields is None or fields.matches(field_values(res, obj)):
                items.append(obj)
        return Listing(items, self.revision)

    def every(self, res: Resource[T], namespace: str | None = None) -> Sequence[T]:
        """``api.admission.Lookup``."""
        return self.list(res, namespace).items

    def dependents(self, uid: str) -> Sequence[tuple[Resource[KubeObject], KubeObject]]:
        """Objects that name ``uid`` among their owners. Costs nothing for an owner without any."""
        kinds = {res.key: res for res in registry.ALL}
        found = self._ledger.committed.owned_by(uid)
        return [(kinds[s.key.kind], self.decode(kinds[s.key.kind], s.data)) for s in found if s.key.kind in kinds]

    def watch(self, res: Resource[T], namespace: str | None = None, *, since: int | None = None) -> Watch[T]:
        """Changes after revision ``since``; None or 0: first a synthetic ADDED of each object there is.

        Raises Expired for a revision that is not remembered any more, TimedOut for one from the future.
        """
        hub = self._ledger.hub
        initial = [] if since else self._ledger.committed.of_kind(res.key, namespace)
        watch = Watch(
            hub,
            res.key,
            namespace,
            lambda data: self.decode(res, data),
            start=since or hub.revision,
            initial=[Event("ADDED", stored, None) for stored in initial],
            missed=hub.since(since) if since else [],
        )
        hub.join(watch)
        return watch

    async def create(self, res: Resource[T], obj: T, *, dry_run: bool = False) -> T:
        """Raises Invalid, AlreadyExists, NotFound (its namespace), Forbidden (namespace is being deleted)."""
        if obj.metadata.resource_version:
            raise SolovirtError("resourceVersion should not be set on objects to be created")
        data = encode(obj)

        def work_out(draft: Draft) -> Stored:
            new = self.decode(res, data)
            meta = new.metadata
            if meta.generate_name and not meta.name:
                meta.name = metadata.generated_name(meta.generate_name)
                while draft.head.get(_key_of(res, new)) is not None:
                    meta.name = metadata.generated_name(meta.generate_name)
            self._set_up(draft, res, new)
            if res.namespaced and meta.namespace:
                namespaces.check_open(draft.head, res.key, meta.namespace, meta.name)
            self._check(draft, res, new, None)
            if draft.head.get(_key_of(res, new)) is not None:
                raise messages.already_exists(res.key, meta.name)
            return draft.put(res.key, new)

        return self.decode(res, (await self._ledger.run(work_out, dry_run=dry_run)).data)

    async def update(self, res: Resource[T], obj: T, *, force: bool = False, dry_run: bool = False) -> T:
        """Replaces all but ``status`` (where the kind has one) and what only the store sets.

        ``metadata.resourceVersion`` must be that of the stored object; with ``force`` an empty one means "whatever is
        there". Raises NotFound, Conflict, Invalid.
        """
        data = encode(obj)

        def work_out(draft: Draft) -> Stored:
            new = self.decode(res, data)
            return self._replace(draft, res, self._head(draft, res, new, force=force), new)

        return self.decode(res, (await self._ledger.run(work_out, dry_run=dry_run)).data)

    async def update_status(self, res: Resource[T], obj: T, *, force: bool = False, dry_run: bool = False) -> T:
        """Replaces ``status`` alone. Raises NotFound, Conflict, Invalid (no resourceVersion and no ``force``)."""
        data = encode(obj)

        def work_out(draft: Draft) -> Stored:
            new = self.decode(res, data)
            return self._replace_status(draft, res, self._head(draft, res, new, force=force), new)

        return self.decode(res, (await self._ledger.run(work_out, dry_run=dry_run)).data)

    async def modify(
        self, res: Resource[T], namespace: str, name: str, change: Callable[[T], bool], *, status: bool = False
    ) -> T:
        """Read, change, write in one step: no other write comes between.

        ``change`` gets a copy and returns False for "nothing to do"; it must not wait, and may be called again. With
        ``status`` only what it did to the status is kept, else only what it did to the rest. Raises NotFound, Invalid.
        """
        key = _key(res, namespace, name)

        def work_out(draft: Draft) -> Stored:
            stored = draft.head.get(key)
            if stored is None:
                raise messages.not_found(res.key, name)
            obj = self.decode(res, stored.data)
            if not change(obj):
                return stored
            replace = self._replace_status if status else self._replace
            return replace(draft, res, stored, obj)

        return self.decode(res, (await self._ledger.run(work_out)).data)

    async def delete(
        self,
        res: Resource[T],
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        grace_period: int | None = None,
        propagation: str = deletion.BACKGROUND,
        dry_run: bool = False,
    ) -> T | None:
        """None: the object is gone. Else it is marked, and goes when its last finalizer does. Idempotent until gone.

        ``uid`` and ``resource_version`` are preconditions (Conflict). Foreground adds the finalizer
        ``foregroundDeletion``; Orphan takes the owner reference out of all dependents in the same transaction.
        Deleting a namespace deletes what is in it. Raises NotFound, Conflict, Invalid, Forbidden.
        """
        request = deletion.Request(self._clock(), uid, resource_version, grace_period, propagation)
        key = _key(res, namespace, name)
        left = await self._ledger.run(lambda draft: deletion.delete(draft, key, request), dry_run=dry_run)
        return None if left is None else self.decode(res, left.data)

    def _head(self, draft: Draft, res: Resource[T], obj: T, *, force: bool) -> Stored:
        """The stored object that ``obj`` is to replace, if it may."""
        meta = obj.metadata
        stored = draft.head.get(_key_of(res, obj))
        if stored is None:
            raise messages.not_found(res.key, meta.name)
        if not meta.resource_version and not force:
            message = "metadata.resourceVersion: must be specified for an update"
            raise messages.invalid([Cause("FieldValueInvalid", message, "metadata.resourceVersion")])
        if meta.uid and meta.uid != stored.uid:
            raise messages.precondition(res.key, meta.name, "UID", meta.uid, stored.uid)
        if meta.resource_version and meta.resource_version != str(stored.revision):
            raise messages.conflict(res.key, meta.name)
        return stored

    def _replace(self, draft: Draft, res: Resource[T], stored: Stored, new: T) -> Stored:
        old = self.decode(res, stored.data)
        metadata.keep_system_fields(new.metadata, old.metadata)
        new.api_version, new.kind = res.stored_api_version, res.kind
        if res.has_status:
            _set_field(new, "status", _field(old, "status"))
        unchanged = not self._spec_differs(res, new, old)
        # Rules that came after the object must not keep it from being deleted.
        judged = not (unchanged and stored.deleting)
        if judged:
            self._complete(draft, res, new, old)
        self._check(draft, res, new, old, kind_rules=judged)
        if self._spec_differs(res, new, old):
            new.metadata.generation += 1
        if new == old:
            return stored
        if stored.deleting:
            last = Stored.of(res.key, new)
            if not deletion.is_held(draft, last):
                return deletion.drop(draft, last)
        return draft.put(res.key, new)

    def _replace_status(self, draft: Draft, res: Resource[T], stored: Stored, new: T) -> Stored:
        obj = self.decode(res, stored.data)
        status = _field(new, "status")
        if status == _field(obj, "status"):
            return stored
        _set_field(obj, "status", status)
        return draft.put(res.key, obj)

    def _complete(self, draft: Draft, res: Resource[T], new: T, old: T | None) -> None:
        """What the kind fills in, by itself and out of other objects."""
        if res.admission is not None:
            res.admission.mutate(new, old, _Head(draft, self))
        res.default(new)

    def _set_up(self, draft: Draft, res: Resource[T], new: T) -> None:
        """What the store and the kind decide of a new object."""
        meta = new.metadata
        meta.uid = str(uuid.uuid4())
        meta.creation_timestamp = self._clock()
        meta.deletion_timestamp = meta.deletion_grace_period_seconds = None
        meta.self_link = ""
        meta.generation = int(any(hasattr(new, name) for name in res.spec_fields))
        new.api_version, new.kind = res.stored_api_version, res.kind
        if res.has_status:
            _set_field(new, "status", _initial_status(res.type))
        if res.key == namespaces.KIND:
            meta.labels[namespaces.NAME_LABEL] = meta.name
        self._complete(draft, res, new, None)

    def _check(self, draft: Draft, res: Resource[T], new: T, old: T | None, *, kind_rules: bool = True) -> None:
        causes = [*self._kind_causes(draft, res, new, old)] if kind_rules else []
        named = {cause.field for cause in causes}
        own = Causes()
        metadata.check(own, new.metadata, label_name=res.key == namespaces.KIND, namespaced=res.namespaced)
        if old is not None:
            metadata.check_finalizers(own, new.metadata, old.metadata)
        causes = [cause for cause in own.found if cause.field not in named] + causes
        if causes:
            raise messages.invalid(causes)

    def _kind_causes(self, draft: Draft, res: Resource[T], new: T, old: T | None) -> Sequence[Cause]:
        if res.admission is None:
            return res.validate(new, old)
        expanded = res.admission.expand(new, _Head(draft, self))
        return [*expanded.causes, *res.validate(expanded.object, old)]

    @staticmethod
    def _spec_differs(res: Resource[T], new: T, old: T) -> bool:
        return any(_field(new, name) != _field(old, name) for name in res.spec_fields)

    def decode(self, res: Resource[T], data: bytes) -> T:
        """A stored object's data as one's own copy of it."""
        decoder = self._decoders.get(res.type)
        if decoder is None:
            decoder = msgspec.json.Decoder(cast(type[KubeObject], res.type))
            self._decoders[res.type] = decoder
        return cast(T, decoder.decode(data))


class _Head:
    """``api.admission.Lookup`` inside a write: with all writes before it, whether they are durable yet or not."""

    def __init__(self, draft: Draft, objects: Objects) -> None:
        self._table = draft.head
        self._objects = objects

    def find(self, res: Resource[T], namespace: str, name: str) -> T | None:
        stored = self._table.get(_key(res, namespace, name))
        return None if stored is None else self._objects.decode(res, stored.data)

    def every(self, res: Resource[T], namespace: str | None = None) -> Sequence[T]:
        return [self._objects.decode(res, stored.data) for stored in self._table.of_kind(res.key, namespace)]


def field_values(res: Resource[T], obj: T) -> dict[str, str]:
    """What field selectors can ask of this object."""
    meta = obj.metadata
    return {"metadata.name": meta.name, "metadata.namespace": meta.namespace, **res.selectable(obj)}


def _key(res: Resource[T], namespace: str, name: str) -> Key:
    return Key(res.key, namespace if res.namespaced else "", name)


def _key_of(res: Resource[T], obj: T) -> Key:
    return _key(res, obj.metadata.namespace, obj.metadata.name)


def _field(obj: KubeObject, name: str) -> object:
    """A top-level field that the kind may have or not."""
    found: object = getattr(obj, name, None)
    return found


def _set_field(obj: KubeObject, name: str, value: object) -> None:
    setattr(obj, name, value)


def _initial_status(kind: type[KubeObject]) -> object:
    for field in msgspec.structs.fields(kind):
        if field.name == "status":
            if field.default_factory is not msgspec.NODEFAULT:
                made: object = field.default_factory()
                return made
            initial: object = field.default
            return initial
    raise TypeError(f"{kind.__name__} has no status")
