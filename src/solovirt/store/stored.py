"""Objects as the store keeps them: encoded JSON beside the few metadata fields that the store itself reads.

Knows ``metadata`` and nothing else of an object: which kinds exist and what they mean is the API's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from solovirt.api.meta import KubeObject, ObjectMeta
from solovirt.kit.json import JsonObject, convert, decode_object, encode, to_object


class Key(NamedTuple):
    """``kind`` is ``Resource.key``; ``namespace`` is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str


class _Owner(msgspec.Struct):
    uid: str = ""


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = "0"
    deletion_timestamp: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    finalizers: list[str] = msgspec.field(default_factory=list)
    owner_references: list[_Owner] = msgspec.field(default_factory=list)


class _Envelope(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


_envelope = msgspec.json.Decoder(_Envelope)


@dataclass(frozen=True, slots=True)
class Stored:
    """One state of one object. ``data`` is its whole JSON; everything else is read from it."""

    key: Key
    revision: int
    data: bytes
    uid: str
    labels: dict[str, str]
    owners: tuple[str, ...]
    finalizers: tuple[str, ...]
    deleting: bool

    @staticmethod
    def parse(kind: str, data: bytes) -> Stored:
        """Raises ``msgspec.DecodeError`` or ``ValueError`` when this is no object of ours."""
        meta = _envelope.decode(data).metadata
        return Stored(
            key=Key(kind, meta.namespace, meta.name),
            revision=int(meta.resource_version or "0"),
            data=data,
            uid=meta.uid,
            labels=meta.labels,
            owners=tuple(owner.uid for owner in meta.owner_references),
            finalizers=tuple(meta.finalizers),
            deleting=meta.deletion_timestamp is not None,
        )

    @staticmethod
    def of(kind: str, obj: KubeObject) -> Stored:
        return Stored.parse(kind, encode(obj))

    def edited(self, change: Callable[[ObjectMeta, JsonObject], None]) -> Stored:
        """This state after ``change(metadata, whole object)``; works for any kind."""
        value = decode_object(self.data)
        meta = convert(value.get("metadata"), ObjectMeta)
        change(meta, value)
        value["metadata"] = to_object(meta)
        return Stored.parse(self.key.kind, encode(value))

    def at(self, revision: int) -> Stored:
        """The same state under another resourceVersion."""

        def stamp(meta: ObjectMeta, _: JsonObject) -> None:
            meta.resource_version = str(revision)

        return self.edited(stamp)


@dataclass(slots=True)
class Table:
    """All objects and private records of one point in time, with the indexes that deletion needs."""

    objects: dict[str, dict[Key, Stored]] = field(default_factory=dict)
    owned: dict[str, set[Key]] = field(default_factory=dict)
    records: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def get(self, key: Key) -> Stored | None:
        return self.objects.get(key.kind, {}).get(key)

    def set(self, key: Key, stored: Stored | None) -> Stored | None:
        """Puts or removes, and returns what was there before."""
        kind = self.objects.setdefault(key.kind, {})
        before = kind.pop(key, None)
        if before is not None:
            for uid in before.owners:
                self._disown(uid, key)
        if stored is not None:
            kind[key] = stored
            for uid in stored.owners:
                self.owned.setdefault(uid, set()).add(key)
        return before

    def _disown(self, uid: str, key: Key) -> None:
        keys = self.owned.get(uid)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self.owned[uid]

    def of_kind(self, kind: str, namespace: str | None) -> list[Stored]:
        """Sorted by namespace and name, as etcd lists them."""
        found = self.objects.get(kind, {})
        chosen = found.values() if namespace is None else (s for s in found.values() if s.key.namespace == namespace)
        return sorted(chosen, key=lambda stored: stored.key)

    def within(self, namespace: str) -> Iterator[Stored]:
        for kind in self.objects.values():
            for stored in kind.values():
                if stored.key.namespace == namespace:
                    yield stored

    def owned_by(self, uid: str) -> list[Stored]:
        keys = sorted(self.owned.get(uid, ()))
        return [stored for stored in map(self.get, keys) if stored is not None]

    def set_record(self, kind: str, key: str, value: bytes | None) -> bytes | None:
        """Puts or removes a private record, and returns what was there before."""
        records = self.records.setdefault(kind, {})
        before = records.pop(key, None)
        if value is not None:
            records[key] = value
        return before

    def copy(self) -> Table:
        return Table(
            objects={kind: dict(found) for kind, found in self.objects.items()},
            owned={uid: set(keys) for uid, keys in self.owned.items()},
            records={kind: dict(found) for kind, found in self.records.items()},
        )
