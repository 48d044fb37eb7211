from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
import pytest

from solovirt.api import registry
from solovirt.api.core.secret import Secret
from solovirt.api.meta import ObjectMeta, OwnerReference
from solovirt.api.selectors import parse_fields, parse_labels
from solovirt.kit.errors import (
    AlreadyExists,
    BadRequest,
    Cause,
    Conflict,
    Expired,
    Invalid,
    NotFound,
    SolovirtError,
    TimedOut,
    Unavailable,
)
from solovirt.store.objects import Objects
from tests.unit.store.kinds import (
    NAMESPACES,
    NOTES,
    NOW,
    WIDGETS,
    Widget,
    WidgetSpec,
    namespace,
    note,
    open_store,
    widget,
)

# --- create ---


async def test_create_fills_in_what_the_store_decides(objects: Objects) -> None:
    mine = widget(size=3, uid="forged", creation_timestamp="1999-01-01T00:00:00Z", generation=7, self_link="/x")
    mine.status.phase = "Forged"
    made = await objects.create(WIDGETS, mine)
    assert (made.api_version, made.kind) == ("test.io/v1", "Widget")
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", made.metadata.uid)
    assert made.metadata.creation_timestamp == NOW
    assert made.metadata.generation == 1
    assert made.metadata.self_link == ""
    assert made.metadata.resource_version == str(objects.revision)
    assert made.spec.colour == "grey"
    assert made.status.phase == ""
    assert objects.get(WIDGETS, "default", "w") == made
    assert mine.metadata.uid == "forged", "the caller's object is left alone"


async def test_kinds_without_spec_have_no_generation(objects: Objects) -> None:
    made = await objects.create(NOTES, note(a="b"))
    assert made.metadata.generation == 0


async def test_every_returned_object_is_a_copy(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())
    made.spec.size = 99
    objects.get(WIDGETS, "default", "w").spec.size = 98
    objects.list(WIDGETS).items[0].spec.size = 97
    assert objects.get(WIDGETS, "default", "w").spec.size == 1


async def test_generate_name(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget("", generate_name="job-"))
    assert re.fullmatch(r"job-[bcdfghjklmnpqrstvwxz2456789]{5}", made.metadata.name)
    other = await objects.create(WIDGETS, widget("", generate_name="x" * 100))
    assert len(other.metadata.name) == 63


async def test_create_twice(objects: Objects) -> None:
    await objects.create(WIDGETS, widget())
    with pytest.raises(AlreadyExists) as caught:
        await objects.create(WIDGETS, widget())
    assert caught.value.message == 'widgets.test.io "w" already exists'


async def test_create_reports_all_causes(objects: Objects) -> None:
    bad = widget("../../etc", size=-1)
    bad.spec.colour = "octarine"
    with pytest.raises(Invalid) as caught:
        await objects.create(WIDGETS, bad)
    fields = [cause.field for cause in caught.value.causes]
    assert fields == ["metadata.name", "spec.size", "spec.colour"]
    assert caught.value.message == ", ".join(cause.message for cause in caught.value.causes)
    assert objects.list(WIDGETS).items == []


async def test_create_needs_a_name(objects: Objects) -> None:
    with pytest.raises(Invalid, match="name or generateName is required"):
        await objects.create(WIDGETS, widget(""))


async def test_create_needs_its_namespace(objects: Objects) -> None:
    with pytest.raises(NotFound) as caught:
        await objects.create(WIDGETS, widget(namespace="nowhere"))
    assert caught.value.message == 'namespaces "nowhere" not found'
    with pytest.raises(Invalid, match=r"metadata.namespace: Required value"):
        await objects.create(WIDGETS, widget(namespace=""))


async def test_create_with_a_resource_version(objects: Objects) -> None:
    with pytest.raises(SolovirtError, match="resourceVersion should not be set on objects to be created"):
        await objects.create(WIDGETS, widget(resource_version="1"))


async def test_dry_runs_check_everything_and_write_nothing(objects: Objects) -> None:
    before = objects.revision
    made = await objects.create(WIDGETS, widget(), dry_run=True)
    assert made.metadata.uid and made.metadata.resource_version == ""
    assert objects.find(WIDGETS, "default", "w") is None
    kept = await objects.create(WIDGETS, widget(finalizers=["test.io/hold"]))
    with pytest.raises(AlreadyExists):
        await objects.create(WIDGETS, widget(), dry_run=True)
    revision = objects.revision
    assert revision == before + 1
    grown = objects.get(WIDGETS, "default", "w")
    grown.spec.size = 5
    assert (await objects.update(WIDGETS, grown, dry_run=True)).metadata.generation == 2
    grown.status.phase = "Ready"
    assert (await objects.update_status(WIDGETS, grown, dry_run=True)).status.phase == "Ready"
    left = await objects.delete(WIDGETS, "default", "w", dry_run=True)
    assert left is not None and left.metadata.deletion_timestamp == NOW
    assert objects.get(WIDGETS, "default", "w") == kept
    assert objects.revision == revision


# --- read ---


async def test_get_and_find_missing(objects: Objects) -> None:
    assert objects.find(WIDGETS, "default", "x") is None
    with pytest.raises(NotFound) as caught:
        objects.get(WIDGETS, "default", "x")
    assert caught.value.message == 'widgets.test.io "x" not found'


async def test_list_is_sorted_and_filtered(objects: Objects) -> None:
    await objects.create(NAMESPACES, namespace("a-team"))
    await objects.create(WIDGETS, widget("b", labels={"tier": "web"}))
    await objects.create(WIDGETS, widget("a"))
    await objects.create(WIDGETS, widget("c", namespace="a-team", labels={"tier": "web"}))

    def names(**selectors: str) -> list[str]:
        found = objects.list(
            WIDGETS,
            labels=parse_labels(selectors.get("labels", "")),
            fields=parse_fields(selectors.get("fields", "")),
        )
        assert found.revision == objects.revision
        return [item.metadata.name for item in found.items]

    assert names() == ["c", "a", "b"]
    assert [item.metadata.name for item in objects.list(WIDGETS, "default").items] == ["a", "b"]
    assert names(labels="tier=web") == ["c", "b"]
    assert names(fields="metadata.name=a") == ["a"]
    assert names(fields="metadata.namespace=default,spec.colour=grey") == ["a", "b"]
    with pytest.raises(BadRequest):
        names(fields="spec.size=1")


# --- update ---


async def test_update_moves_generation_only_with_the_spec(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())
    made.metadata.labels["x"] = "y"
    made.metadata.annotations["note"] = "z"
    labelled = await objects.update(WIDGETS, made)
    assert labelled.metadata.generation == 1
    assert int(labelled.metadata.resource_version) == objects.revision
    labelled.spec.size = 2
    assert (await objects.update(WIDGETS, labelled)).metadata.generation == 2


async def test_update_leaves_status_and_system_fields_alone(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())
    made.status.phase = "Ready"
    made = await objects.update_status(WIDGETS, made)
    made.spec.size = 2
    made.status.phase = "Forged"
    made.metadata.creation_timestamp = "1999-01-01T00:00:00Z"
    made.metadata.deletion_timestamp = "1999-01-01T00:00:00Z"
    made.metadata.generation = 40
    new = await objects.update(WIDGETS, made)
    assert new.status.phase == "Ready"
    assert new.metadata.creation_timestamp == NOW
    assert new.metadata.deletion_timestamp is None
    assert new.metadata.generation == 2


async def test_update_without_a_change_keeps_the_resource_version(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget(labels={"a": "1", "b": "2"}))
    made.metadata.labels = {"b": "2", "a": "1"}
    commits = objects.commits
    same = await objects.update(WIDGETS, made)
    assert same.metadata.resource_version == made.metadata.resource_version
    assert objects.commits == commits
    assert (await objects.update_status(WIDGETS, same)).metadata.resource_version == made.metadata.resource_version


async def test_update_errors(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget(size=5))
    stale = objects.get(WIDGETS, "default", "w")
    made.spec.size = 6
    made = await objects.update(WIDGETS, made)
    with pytest.raises(Conflict) as caught:
        await objects.update(WIDGETS, stale)
    assert caught.value.message == (
        'Operation cannot be fulfilled on widgets.test.io "w": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    with pytest.raises(Conflict):
        await objects.update_status(WIDGETS, stale)
    blind = widget(size=7)
    with pytest.raises(Invalid) as unversioned:
        await objects.update(WIDGETS, blind)
    assert unversioned.value.message == "metadata.resourceVersion: must be specified for an update"
    assert (await objects.update(WIDGETS, blind, force=True)).spec.size == 7
    with pytest.raises(NotFound):
        await objects.update(WIDGETS, widget("other", resource_version="1"))
    with pytest.raises(Conflict, match="UID in precondition: other, UID in object meta"):
        await objects.update(WIDGETS, widget(uid="other"), force=True)
    with pytest.raises(Invalid, match="must not shrink"):
        await objects.update(WIDGETS, widget(size=1), force=True)


async def test_status_is_written_without_defaults_and_validation(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget(labels={"a": "b"}))
    made.spec.size = -5
    made.metadata.labels.clear()
    made.status.phase = "Ready"
    new = await objects.update_status(WIDGETS, made)
    assert (new.spec.size, new.metadata.labels, new.status.phase) == (1, {"a": "b"}, "Ready")
    assert new.metadata.generation == 1


async def test_of_two_concurrent_updates_one_conflicts(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())
    copies = [objects.get(WIDGETS, "default", "w") for _ in range(5)]
    for number, copy in enumerate(copies):
        copy.spec.size = 10 + number
    results = await asyncio.gather(*(objects.update(WIDGETS, copy) for copy in copies), return_exceptions=True)
    assert [isinstance(result, Conflict) for result in results] == [False, True, True, True, True]
    stored = objects.get(WIDGETS, "default", "w")
    assert stored.spec.size == 10
    assert stored.metadata.generation == made.metadata.generation + 1


async def test_modify_never_loses_a_change(objects: Objects) -> None:
    await objects.create(WIDGETS, widget(size=0))

    def grow(found: Widget) -> bool:
        found.spec.size += 1
        return True

    await asyncio.gather(*(objects.modify(WIDGETS, "default", "w", grow) for _ in range(40)))
    assert objects.get(WIDGETS, "default", "w").spec.size == 40


async def test_modify_status_nothing_and_missing(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())

    def both(found: Widget) -> bool:
        found.spec.size = 50
        found.status.phase = "Ready"
        return True

    new = await objects.modify(WIDGETS, "default", "w", both, status=True)
    assert (new.spec.size, new.status.phase) == (1, "Ready")
    same = await objects.modify(WIDGETS, "default", "w", lambda found: False)
    assert same == new
    assert new.metadata.uid == made.metadata.uid
    with pytest.raises(NotFound):
        await objects.modify(WIDGETS, "default", "x", both)


async def test_a_change_that_raises_leaves_nothing_behind(objects: Objects) -> None:
    made = await objects.create(WIDGETS, widget())

    def fail(found: Widget) -> bool:
        found.spec.size = 4
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await objects.modify(WIDGETS, "default", "w", fail)
    assert objects.get(WIDGETS, "default", "w") == made
    assert (await objects.update(WIDGETS, made)) == made


async def test_old_objects_that_break_new_rules_can_still_lose_their_finalizers(objects: Objects) -> None:
    await objects.create(WIDGETS, widget(finalizers=["test.io/hold"]))
    strict = msgspec.structs.replace(WIDGETS, validate=lambda new, old: [Cause("FieldValueInvalid", "never", "spec")])
    made = objects.get(strict, "default", "w")
    made.metadata.finalizers = []
    with pytest.raises(Invalid, match="never"):
        await objects.update(strict, made)
    await objects.delete(strict, "default", "w")
    made = objects.get(strict, "default", "w")
    made.spec.size = 2
    with pytest.raises(Invalid, match="never"):
        await objects.update(strict, made)
    made = objects.get(strict, "default", "w")
    made.metadata.finalizers = []
    await objects.update(strict, made)
    assert objects.find(WIDGETS, "default", "w") is None


# --- delete (the rest is in test_deletion) ---


async def test_delete_answers_what_is_left(objects: Objects) -> None:
    await objects.create(WIDGETS, widget("free"))
    await objects.create(WIDGETS, widget("held", finalizers=["test.io/hold"]))
    assert await objects.delete(WIDGETS, "default", "free") is None
    left = await objects.delete(WIDGETS, "default", "held", grace_period=9)
    assert left is not None
    assert (left.metadata.deletion_timestamp, left.metadata.deletion_grace_period_seconds) == (NOW, 9)
    with pytest.raises(NotFound):
        await objects.delete(WIDGETS, "default", "free")


async def test_no_new_finalizers_while_deleting(objects: Objects) -> None:
    await objects.create(WIDGETS, widget(finalizers=["test.io/a", "test.io/b"]))
    left = await objects.delete(WIDGETS, "default", "w")
    assert left is not None
    left.metadata.finalizers.append("test.io/c")
    with pytest.raises(Invalid) as caught:
        await objects.update(WIDGETS, left)
    assert caught.value.message == (
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers []string{"test.io/c"}'
    )
    left.metadata.finalizers = ["test.io/b"]
    left = await objects.update(WIDGETS, left)
    left.metadata.finalizers = []
    gone = await objects.update(WIDGETS, left)
    assert gone.metadata.resource_version == str(objects.revision)
    assert objects.find(WIDGETS, "default", "w") is None


# --- dependents, records, life ---


async def test_dependents_through_the_registry(objects: Objects) -> None:
    secret = Secret(
        metadata=ObjectMeta(
            name="s",
            namespace="default",
            owner_references=[OwnerReference(api_version="v1", kind="Widget", name="w", uid="owner-1")],
        )
    )
    await objects.create(registry.SECRETS, secret)
    [(res, found)] = objects.dependents("owner-1")
    assert res is registry.SECRETS
    assert found == objects.get(registry.SECRETS, "default", "s")
    assert list(objects.dependents("owner-2")) == []
    await objects.delete(registry.SECRETS, "default", "s")
    assert list(objects.dependents("owner-1")) == []


async def test_everything_survives_a_restart(database: Path) -> None:
    first = open_store(database)
    made = await first.create(WIDGETS, widget(size=3))
    await first.create(NOTES, note(a="b"))
    await first.create(NOTES, note("gone"))
    await first.delete(NOTES, "default", "gone")
    revision = first.revision
    await first.close()
    second = open_store(database)
    assert second.revision == revision
    assert second.get(WIDGETS, "default", "w") == made
    assert [item.metadata.name for item in second.list(NOTES).items] == ["n"]
    made.spec.size = 4
    assert int((await second.update(WIDGETS, made)).metadata.resource_version) == revision + 1
    await second.close()


async def test_a_closed_store_refuses_writes_and_ends_watches(database: Path) -> None:
    store = open_store(database)
    pending = [asyncio.ensure_future(store.create(NOTES, note(f"n{number}"))) for number in range(20)]
    watch = store.watch(NOTES)
    await asyncio.sleep(0)
    await store.close()
    assert len([await task for task in pending]) == 20, "what was begun is finished"
    with pytest.raises(StopAsyncIteration):
        await anext(watch)
    with pytest.raises(Unavailable):
        await store.create(NOTES, note("late"))
    await store.close()


async def test_cancelled_callers_do_not_disturb_others(objects: Objects) -> None:
    tasks = [asyncio.ensure_future(objects.create(NOTES, note(f"n{number}"))) for number in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 5
    await objects.create(NOTES, note("after"))
    assert len(objects.list(NOTES).items) == 11, "a write that was begun is carried out"


async def test_concurrent_writes_share_commits(objects: Objects) -> None:
    before = objects.commits
    await asyncio.gather(*(objects.create(NOTES, note(f"n{number}")) for number in range(200)))
    assert len(objects.list(NOTES).items) == 200
    assert objects.commits - before < 50


# --- watch (the rest is in test_watch) ---


async def test_watch_begins_with_what_there_is_and_continues(objects: Objects) -> None:
    await objects.create(NAMESPACES, namespace("other"))
    await objects.create(WIDGETS, widget("a"))
    await objects.create(WIDGETS, widget("far", namespace="other"))
    await objects.create(NOTES, note())
    watch = objects.watch(WIDGETS, "default")
    assert watch.initial == 1
    made = await objects.create(WIDGETS, widget("b"))
    made.spec.size = 2
    await objects.update(WIDGETS, made)
    await objects.create(WIDGETS, widget("far2", namespace="other"))
    await objects.delete(WIDGETS, "default", "b")
    changes = [await anext(watch) for _ in range(4)]
    assert [(change.type, change.name) for change in changes] == [
        ("ADDED", "a"),
        ("ADDED", "b"),
        ("MODIFIED", "b"),
        ("DELETED", "b"),
    ]
    assert changes[2].previous == made.__class__(
        api_version=made.api_version,
        kind=made.kind,
        metadata=made.metadata,
        spec=WidgetSpec(size=1, colour="grey"),
    )
    assert changes[3].object.metadata.resource_version == str(changes[3].revision) == str(objects.revision)
    assert changes[3].object.spec.size == 2
    assert changes[3].namespace == "default"
    watch.close()


async def test_watch_since_a_revision(objects: Objects) -> None:
    await objects.create(NOTES, note("a"))
    listed = objects.list(NOTES)
    await objects.create(NOTES, note("b"))
    watch = objects.watch(NOTES, since=listed.revision)
    assert watch.initial == 0
    assert (await anext(watch)).name == "b"
    watch.close()
    with pytest.raises(StopAsyncIteration):
        await anext(watch)
    with pytest.raises(TimedOut, match="Too large resource version"):
        objects.watch(NOTES, since=objects.revision + 1)


async def test_the_window_does_not_survive_a_restart(database: Path) -> None:
    first = open_store(database)
    await first.create(NOTES, note("a"))
    revision = first.revision
    await first.close()
    second = open_store(database)
    watch = second.watch(NOTES, since=revision)
    with pytest.raises(Expired) as caught:
        second.watch(NOTES, since=revision - 1)
    assert caught.value.message == f"too old resource version: {revision - 1} ({revision})"
    await second.create(NOTES, note("b"))
    assert (await anext(watch)).name == "b"
    await second.close()


async def test_nobody_sees_a_write_before_it_is_durable(objects: Objects) -> None:
    task = asyncio.ensure_future(objects.create(NOTES, note()))
    watch = objects.watch(NOTES)
    await asyncio.sleep(0)
    assert objects.find(NOTES, "default", "n") is None
    assert watch.initial == 0
    made = await task
    assert objects.get(NOTES, "default", "n") == made
    assert (await anext(watch)).object == made
    watch.close()
