"""The instancetypes and preferences that solovirt brings, written once for each version of the set.

They are objects like any others: what a user edits or deletes stays so. A record says what was written; when the set
changes, objects that nobody touched follow it, and new ones are added.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Coroutine, Iterable, Mapping
from typing import TypeVar

from solovirt import __version__
from solovirt.api import registry
from solovirt.api.instancetype.instancetype import VirtualMachineClusterInstancetype
from solovirt.api.instancetype.preference import VirtualMachineClusterPreference
from solovirt.api.resource import Resource
from solovirt.kit import json
from solovirt.kit.errors import AlreadyExists, Conflict, NotFound
from solovirt.kit.jsontypes import get_object, get_str
from solovirt.store.objects import Objects

log = logging.getLogger(__name__)

RECORD, KEY = "shipped", "instancetypes"
T = TypeVar("T", VirtualMachineClusterInstancetype, VirtualMachineClusterPreference)


async def write(objects: Objects, version: str = __version__) -> int:
    """Brings the set up to date; how many objects it wrote. Costs a look at one record when there is nothing to do."""
    known = _read(objects)
    if get_str(known, "version") == version:
        return 0
    # What is not needed at every start is not loaded at every start.
    from solovirt.api.instancetype.shipped.instancetypes import instancetypes
    from solovirt.api.instancetype.shipped.preferences import preferences

    before = {name: str(digest) for name, digest in get_object(known, "digests").items()}
    after: dict[str, json.Json] = {}
    work = [
        *_pending(objects, registry.CLUSTER_INSTANCETYPES, instancetypes(), before, after),
        *_pending(objects, registry.CLUSTER_PREFERENCES, preferences(), before, after),
    ]
    # None waits for another, so that the writer commits many at once.
    await asyncio.gather(*work)
    record: json.JsonObject = {"version": version, "digests": after}
    await objects.records.put(RECORD, KEY, json.encode(record))
    log.info("%d instancetypes and preferences of %s written", len(work), version)
    return len(work)


def _pending(
    objects: Objects,
    res: Resource[T],
    shipped: Iterable[T],
    before: Mapping[str, str],
    after: dict[str, json.Json],
) -> list[Coroutine[object, object, None]]:
    work: list[Coroutine[object, object, None]] = []
    for obj in shipped:
        place = f"{res.plural}/{obj.metadata.name}"
        after[place] = digest = _digest(obj)
        present = objects.find(res, "", obj.metadata.name)
        if present is None:
            # One that was written before was deleted by somebody.
            if place not in before:
                work.append(_create(objects, res, obj))
        elif _digest(present) == before.get(place) != digest:
            obj.metadata.resource_version = present.metadata.resource_version
            work.append(_update(objects, res, obj))
    return work


def _digest(obj: VirtualMachineClusterInstancetype | VirtualMachineClusterPreference) -> str:
    """Of what we decide of an object."""
    whole = [obj.metadata.labels, obj.metadata.annotations, json.to_json(obj.spec)]
    return hashlib.sha256(json.canonical(whole)).hexdigest()[:16]


async def _create(objects: Objects, res: Resource[T], obj: T) -> None:
    try:
        await objects.create(res, obj)
    except AlreadyExists:
        return


async def _update(objects: Objects, res: Resource[T], obj: T) -> None:
    try:
        await objects.update(res, obj)
    except (Conflict, NotFound):
        return


def _read(objects: Objects) -> json.JsonObject:
    found = objects.records.get(RECORD, KEY)
    return json.decode_object(found) if found is not None else {}
