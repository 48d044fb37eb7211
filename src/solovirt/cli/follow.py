"""Following one object: a list, then a watch, for as long as the caller wants to see more.

A watch costs the server nothing while nothing happens, however many wait. It must not know what is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from solovirt.cli.client import ApiError, Client, path_of
from solovirt.cli.kinds import VM, Kind
from solovirt.kit.errors import Unavailable
from solovirt.kit.jsontypes import JsonObject, get_int, get_list, get_object, get_str

PATIENCE = 10.0
"""Seconds that a server which was there may be away: a daemon that is replaced is back long before."""
PAUSE = 0.2


def states(
    client: Client, kind: Kind, namespace: str, name: str, *, deadline: float | None = None
) -> Iterator[JsonObject | None]:
    """The object as it is now (None: there is none), and again after each change; ends at the deadline.

    Raises what the first request raises; later, Unavailable when the server stays away.
    """
    base = path_of(kind.group, kind.version, kind.plural, namespace)
    query = {"fieldSelector": f"metadata.name={name}"}
    answered: float | None = None
    while True:
        try:
            listing = client.get(base, query)
            answered = time.monotonic()
            items = [item for item in get_list(listing, "items") if isinstance(item, dict)]
            yield items[0] if items else None
            if passed(deadline):
                return
            revision = get_str(get_object(listing, "metadata"), "resourceVersion")
            for event in client.watch(base, {**query, "resourceVersion": revision}, deadline=deadline):
                yield None if event.get("type") == "DELETED" else get_object(event, "object")
        except Unavailable:
            if answered is None or time.monotonic() - answered > PATIENCE:
                raise
        except ApiError as error:
            if error.status != 410:
                raise
        if passed(deadline):
            return
        time.sleep(PAUSE)


def waits_for_restart(client: Client, namespace: str, name: str, *, deadline: float) -> JsonObject | None:
    """The VirtualMachine once its controller has seen its newest spec, if a change waits for a restart; else None.

    KubeVirt tells of such a change with the condition RestartRequired.
    """
    for vm in states(client, VM, namespace, name, deadline=deadline):
        if vm is None:
            return None
        status = get_object(vm, "status")
        if get_int(status, "desiredGeneration") < get_int(get_object(vm, "metadata"), "generation"):
            continue
        waiting = any(
            isinstance(one, dict) and (one.get("type"), one.get("status")) == ("RestartRequired", "True")
            for one in get_list(status, "conditions")
        )
        return vm if waiting else None
    return None


def passed(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline
