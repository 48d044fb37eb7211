"""What the store knows of namespaces: objects live in one, and go when it goes."""

from __future__ import annotations

import uuid

from solovirt.api.core.namespace import Namespace, NamespaceStatus
from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import Cause, NotFound
from solovirt.kit.json import JsonObject, get_object
from solovirt.store import messages
from solovirt.store.stored import Key, Table

KIND = "namespaces"
DEFAULT = "default"
NAME_LABEL = "kubernetes.io/metadata.name"


def default_namespace(now: str) -> Namespace:
    """The namespace that every store has."""
    meta = ObjectMeta(
        name=DEFAULT,
        uid=str(uuid.uuid4()),
        creation_timestamp=now,
        generation=1,
        labels={NAME_LABEL: DEFAULT},
    )
    return Namespace(api_version="v1", kind="Namespace", metadata=meta, status=NamespaceStatus(phase="Active"))


def check_open(head: Table, kind: str, namespace: str, name: str) -> None:
    """New objects need a namespace that exists (NotFound) and is not being deleted (Forbidden)."""
    found = head.get(Key(KIND, "", namespace))
    if found is None:
        raise NotFound(f'{KIND} "{namespace}" not found')
    if found.deleting:
        message = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
        raise messages.forbidden(kind, name, message, [cause])


def check_deletable(name: str) -> None:
    if name == DEFAULT:
        raise messages.forbidden(KIND, name, "this namespace may not be deleted")


def is_empty(head: Table, name: str) -> bool:
    return next(head.within(name), None) is None


def mark_terminating(value: JsonObject) -> None:
    status = get_object(value, "status")
    status["phase"] = "Terminating"
    value["status"] = status
