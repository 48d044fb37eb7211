"""Deletion: graceful through finalizers, by owner, by namespace. All of one deletion is one transaction.

Dependents of a deleted owner are not collected here (``Objects.dependents`` makes that cheap for a controller), except
that a namespace takes its content with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import Cause
from solovirt.kit.json import JsonObject
from solovirt.store import messages, namespaces
from solovirt.store.ledger import Draft
from solovirt.store.stored import Key, Stored

BACKGROUND, FOREGROUND, ORPHAN = "Background", "Foreground", "Orphan"
FOREGROUND_FINALIZER = "foregroundDeletion"
ORPHAN_FINALIZER = "orphan"


@dataclass(frozen=True, slots=True)
class Request:
    """``uid`` and ``resource_version`` are preconditions, empty for none. ``now`` is RFC 3339."""

    now: str
    uid: str = ""
    resource_version: str = ""
    grace_period: int | None = None
    propagation: str = BACKGROUND


def delete(draft: Draft, key: Key, request: Request) -> Stored | None:
    """Removes the object, or marks it for those who hold finalizers; returns what is left of it.

    Raises NotFound, Conflict (preconditions), Invalid (propagation), Forbidden (the default namespace).
    """
    if request.propagation not in (BACKGROUND, FOREGROUND, ORPHAN):
        message = (
            f'propagationPolicy: Unsupported value: "{request.propagation}": supported values: '
            '"Background", "Foreground", "Orphan"'
        )
        raise messages.invalid([Cause("FieldValueNotSupported", message, "propagationPolicy")])
    stored = draft.head.get(key)
    if stored is None:
        raise messages.not_found(key.kind, key.name)
    if request.uid and request.uid != stored.uid:
        raise messages.precondition(key.kind, key.name, "UID", request.uid, stored.uid)
    if request.resource_version and request.resource_version != str(stored.revision):
        raise messages.precondition(
            key.kind, key.name, "ResourceVersion", request.resource_version, str(stored.revision)
        )
    if key.kind == namespaces.KIND:
        namespaces.check_deletable(key.name)
    if request.propagation == ORPHAN:
        _orphan(draft, stored)
    _remove(draft, stored, request)
    if key.kind == namespaces.KIND and not stored.deleting:
        for content in list(draft.head.within(key.name)):
            _remove(draft, content, Request(now=request.now))
    return draft.head.get(key)


def drop(draft: Draft, last: Stored) -> Stored:
    """Removes an object whose last state was ``last``, and its namespace if that only waited for it.

    Returns the last state under the revision of the removal.
    """
    gone = draft.drop(last)
    namespace = draft.head.get(Key(namespaces.KIND, "", last.key.namespace))
    if namespace is not None and namespace.deleting and not is_held(draft, namespace):
        draft.drop(namespace)
    return gone


def is_held(draft: Draft, state: Stored) -> bool:
    """Must an object that is being deleted stay for now? For its finalizers, or as a namespace with content."""
    if state.finalizers:
        return True
    return state.key.kind == namespaces.KIND and not namespaces.is_empty(draft.head, state.key.name)


def _remove(draft: Draft, stored: Stored, request: Request) -> None:
    marked = stored.edited(lambda meta, value: _mark(stored, request, meta, value))
    if not is_held(draft, marked):
        drop(draft, stored)
    elif marked.data != stored.data:
        draft.edit(stored, lambda meta, value: _mark(stored, request, meta, value))


def _mark(stored: Stored, request: Request, meta: ObjectMeta, value: JsonObject) -> None:
    """Repeated deletion only ever shortens the grace period."""
    meta.finalizers = list(_finalizers(stored.finalizers, request.propagation))
    grace = request.grace_period
    if stored.deleting:
        before = meta.deletion_grace_period_seconds
        if grace is not None and (before is None or grace < before):
            meta.deletion_grace_period_seconds = grace
        return
    meta.deletion_timestamp = request.now
    # None: nobody asked for a certain time, so the kind's own default holds.
    meta.deletion_grace_period_seconds = grace
    if meta.generation:
        meta.generation += 1
    if stored.key.kind == namespaces.KIND:
        namespaces.mark_terminating(value)


def _finalizers(old: tuple[str, ...], propagation: str) -> tuple[str, ...]:
    kept = tuple(name for name in old if name not in (FOREGROUND_FINALIZER, ORPHAN_FINALIZER))
    return (*kept, FOREGROUND_FINALIZER) if propagation == FOREGROUND else kept


def _orphan(draft: Draft, owner: Stored) -> None:
    def disown(meta: ObjectMeta, _: JsonObject) -> None:
        meta.owner_references = [ref for ref in meta.owner_references if ref.uid != owner.uid]

    for dependent in draft.head.owned_by(owner.uid):
        draft.edit(dependent, disown)
