from __future__ import annotations

import pytest

from solovirt.api.meta import OwnerReference
from solovirt.kit.errors import Conflict, Invalid, NotFound
from solovirt.store.objects import Objects
from tests.unit.store.kinds import NOTES, NOW, WIDGETS, Widget, note, widget


def _owned_by(owner: Widget) -> list[OwnerReference]:
    return [
        OwnerReference(api_version="test.io/v1", kind="Widget", name=owner.metadata.name, uid=owner.metadata.uid),
        OwnerReference(api_version="v1", kind="Other", name="o", uid="other-uid"),
    ]


async def test_an_object_that_nothing_holds_goes_at_once(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())
    watch = objects.watch(WIDGETS, since=objects.revision)
    assert await objects.delete(WIDGETS, "default", "w") is None
    change = await anext(watch)
    assert change.type == "DELETED"
    assert change.previous == made
    assert change.object.metadata.resource_version == str(int(made.metadata.resource_version) + 1)
    assert watch.revision == objects.revision, "one change, not two"
    watch.close()


async def test_finalizers_hold_an_object(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget(finalizers=["test.io/hold"]))
    left = await objects.delete(WIDGETS, "default", "w")
    assert left is not None
    assert left.metadata.deletion_timestamp == NOW
    assert left.metadata.deletion_grace_period_seconds is None
    assert left.metadata.generation == made.metadata.generation + 1
    again = await objects.delete(WIDGETS, "default", "w")
    assert again == left, "deleting again changes nothing"
    left.metadata.finalizers = []
    watch = objects.watch(WIDGETS, since=objects.revision)
    await objects.update(WIDGETS, left)
    change = await anext(watch)
    assert (change.type, change.object.metadata.finalizers) == ("DELETED", [])
    assert change.previous == again
    assert watch.revision == objects.revision
    watch.close()


async def test_status_can_be_written_while_deleting(objects: Objects) -> None:
    await objects.create(WIDGETS, widget(finalizers=["test.io/hold"]))
    left = await objects.delete(WIDGETS, "default", "w")
    assert left is not None
    left.status.phase = "Stopping"
    assert (await objects.update_status(WIDGETS, left)).status.phase == "Stopping"


async def test_the_grace_period_only_gets_shorter(objects: Objects) -> None:
    await objects.create(WIDGETS, widget(finalizers=["test.io/hold"]))

    async def grace(seconds: int | None) -> int | None:
        left = await objects.delete(WIDGETS, "default", "w", grace_period=seconds)
        assert left is not None
        return left.metadata.deletion_grace_period_seconds

    assert [await grace(asked) for asked in (30, 60, None, 5, 0)] == [30, 30, 30, 5, 0]


async def test_preconditions(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())
    uid, version = made.metadata.uid, made.metadata.resource_version
    with pytest.raises(Conflict) as caught:
        await objects.delete(WIDGETS, "default", "w", uid="other")
    assert caught.value.message == (
        'Operation cannot be fulfilled on widgets.test.io "w": '
        f"Precondition failed: UID in precondition: other, UID in object meta: {uid}"
    )
    with pytest.raises(
        Conflict, match=f"ResourceVersion in precondition: 1, ResourceVersion in object meta: {version}"
    ):
        await objects.delete(WIDGETS, "default", "w", resource_version="1")
    assert await objects.delete(WIDGETS, "default", "w", uid=uid, resource_version=version) is None


async def test_unknown_propagation_and_missing_object(objects: Objects) -> None:
    with pytest.raises(Invalid, match='Unsupported value: "Sideways"'):
        await objects.delete(WIDGETS, "default", "w", propagation="Sideways")
    with pytest.raises(NotFound):
        await objects.delete(WIDGETS, "default", "w")


async def test_foreground_waits_for_the_collector(objects: Objects) -> None:
    await objects.create(WIDGETS, widget())
    left = await objects.delete(WIDGETS, "default", "w", propagation="Foreground")
    assert left is not None
    assert left.metadata.finalizers == ["foregroundDeletion"]
    same = await objects.delete(WIDGETS, "default", "w", propagation="Foreground")
    assert same == left
    assert await objects.delete(WIDGETS, "default", "w", propagation="Background") is None


async def test_orphan_frees_the_dependents_in_the_same_step(objects: Objects) -> None:
    owner = await objects.create(WIDGETS, widget())
    mine = note()
    mine.metadata.owner_references = _owned_by(owner)
    await objects.create(NOTES, mine)
    watch = objects.watch(NOTES, since=objects.revision)
    before = objects.commits
    assert await objects.delete(WIDGETS, "default", "w", propagation="Orphan") is None
    assert objects.commits == before + 1
    change = await anext(watch)
    assert [ref.uid for ref in change.object.metadata.owner_references] == ["other-uid"]
    assert int(change.object.metadata.resource_version) == change.revision
    assert change.object == objects.get(NOTES, "default", "n")
    watch.close()


async def test_background_leaves_dependents_to_the_collector(objects: Objects) -> None:
    owner = await objects.create(WIDGETS, widget())
    mine = note()
    mine.metadata.owner_references = _owned_by(owner)
    made = await objects.create(NOTES, mine)
    assert await objects.delete(WIDGETS, "default", "w") is None
    assert objects.get(NOTES, "default", "n") == made
