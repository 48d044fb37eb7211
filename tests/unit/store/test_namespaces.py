from __future__ import annotations

from pathlib import Path

import pytest

from solovirt.api.meta import ObjectMeta
from solovirt.kit.errors import Forbidden, NotFound
from solovirt.store.objects import Objects
from tests.unit.store.kinds import NAMESPACES, NOTES, WIDGETS, namespace, note, open_store, widget


async def test_every_store_has_the_default_namespace(objects: Objects) -> None:
    found = objects.get(NAMESPACES, "", "default")
    assert found.status.phase == "Active"
    assert found.metadata.labels == {"kubernetes.io/metadata.name": "default"}
    assert found.metadata.resource_version == str(objects.revision) == "1"
    with pytest.raises(Forbidden) as caught:
        await objects.delete(NAMESPACES, "", "default")
    assert caught.value.message == 'namespaces "default" is forbidden: this namespace may not be deleted'


async def test_the_default_namespace_is_made_once(database: Path) -> None:
    first = open_store(database)
    made = first.get(NAMESPACES, "", "default")
    await first.close()
    second = open_store(database)
    assert second.get(NAMESPACES, "", "default") == made
    await second.close()


async def test_namespaces_carry_their_name_as_a_label(objects: Objects) -> None:
    made = await objects.create(NAMESPACES, namespace("team"))
    assert made.metadata.labels == {"kubernetes.io/metadata.name": "team"}
    generated = namespace("")
    generated.metadata = ObjectMeta(generate_name="team-")
    made = await objects.create(NAMESPACES, generated)
    assert made.metadata.labels == {"kubernetes.io/metadata.name": made.metadata.name}


async def test_an_empty_namespace_goes_at_once(objects: Objects) -> None:
    await objects.create(NAMESPACES, namespace("team"))
    assert await objects.delete(NAMESPACES, "", "team") is None
    with pytest.raises(NotFound, match='namespaces "team" not found'):
        await objects.create(NOTES, note(namespace="team"))


async def test_a_namespace_takes_its_content_with_it(objects: Objects) -> None:
    await objects.create(NAMESPACES, namespace("team"))
    await objects.create(NOTES, note(namespace="team"))
    await objects.create(WIDGETS, widget(namespace="team"))
    kept = await objects.create(NOTES, note())
    before = objects.commits
    assert await objects.delete(NAMESPACES, "", "team") is None
    assert objects.commits == before + 1
    assert objects.find(NAMESPACES, "", "team") is None
    assert objects.list(NOTES).items == [kept]
    assert objects.list(WIDGETS).items == []


async def test_a_namespace_waits_for_held_content(objects: Objects) -> None:
    await objects.create(NAMESPACES, namespace("team"))
    await objects.create(NOTES, note(namespace="team"))
    await objects.create(WIDGETS, widget(namespace="team", finalizers=["test.io/hold"]))
    left = await objects.delete(NAMESPACES, "", "team")
    assert left is not None
    assert left.metadata.deletion_timestamp and left.status.phase == "Terminating"
    assert objects.list(NOTES, "team").items == []
    held = objects.get(WIDGETS, "team", "w")
    assert held.metadata.deletion_timestamp
    with pytest.raises(Forbidden) as caught:
        await objects.create(NOTES, note("late", namespace="team"))
    assert caught.value.message == (
        'notes "late" is forbidden: unable to create new content in namespace team because it is being terminated'
    )
    assert await objects.delete(NAMESPACES, "", "team") == left, "deleting again changes nothing"
    watch = objects.watch(NAMESPACES, since=objects.revision)
    held.metadata.finalizers = []
    await objects.update(WIDGETS, held)
    assert objects.find(NAMESPACES, "", "team") is None
    assert (await anext(watch)).type == "DELETED"
    watch.close()


async def test_a_finalizer_holds_an_empty_namespace(objects: Objects) -> None:
    held = namespace("team")
    held.metadata.finalizers = ["test.io/hold"]
    await objects.create(NAMESPACES, held)
    left = await objects.delete(NAMESPACES, "", "team")
    assert left is not None
    left.metadata.finalizers = []
    await objects.update(NAMESPACES, left)
    assert objects.find(NAMESPACES, "", "team") is None
