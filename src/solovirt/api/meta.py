"""Object metadata shared by all kinds (Kubernetes meta/v1)."""

from __future__ import annotations

import msgspec


class Model(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every API struct.

    ``__known_unsupported__`` names fields that KubeVirt has here and solovirt refuses by name; ``decode`` tells them
    from misspelled ones.
    """

    __known_unsupported__ = frozenset[str]()


class OwnerReference(Model):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Model):
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: list[OwnerReference] = msgspec.field(default_factory=list)
    finalizers: list[str] = msgspec.field(default_factory=list)
    self_link: str = ""
    managed_fields: list[dict[str, object]] = msgspec.field(default_factory=list)


class TypeMeta(Model):
    api_version: str = ""
    kind: str = ""


class KubeObject(Model):
    """A whole object: what the store holds and the API serves. Kinds subclass it and set the two first fields."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


class Condition(Model):
    """``status`` is "True", "False" or "Unknown"; times are RFC 3339 in UTC, seconds."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    last_probe_time: str | None = None


def find_condition(conditions: list[Condition], kind: str) -> Condition | None:
    return next((c for c in conditions if c.type == kind), None)


def set_condition(conditions: list[Condition], new: Condition, now: str) -> bool:
    """Insert or replace by type; the transition time moves only when ``status`` does. True if anything changed."""
    old = find_condition(conditions, new.type)
    if old is None:
        new.last_transition_time = new.last_transition_time or now
        conditions.append(new)
        return True
    if (old.status, old.reason, old.message) == (new.status, new.reason, new.message):
        return False
    if old.status != new.status:
        old.last_transition_time = now
    old.status, old.reason, old.message = new.status, new.reason, new.message
    return True


def remove_condition(conditions: list[Condition], kind: str) -> bool:
    found = find_condition(conditions, kind)
    if found is None:
        return False
    conditions.remove(found)
    return True
