"""Objects against a model of a few lines: whatever is done in whatever order, both hold the same."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from solovirt.kit.errors import AlreadyExists, Conflict, Forbidden, NotFound
from solovirt.store.objects import Objects
from solovirt.store.watch import Change, Watch
from tests.unit.store.kinds import NAMESPACES, WIDGETS, Widget, namespace, open_store, widget

HOLD = "test.io/hold"
names = st.sampled_from(["a", "b", "c"])
namespaces = st.sampled_from(["default", "team"])


@dataclass
class Modelled:
    size: int
    generation: int = 1
    phase: str = ""
    held: bool = False
    deleting: bool = False
    versions: list[str] = field(default_factory=list)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="sv-")
        self.runner = asyncio.Runner()
        self.model: dict[tuple[str, str], Modelled] = {}
        self.namespaces = {"default": False}  # name -> terminating
        self.revision = 0
        self.objects = self._open()
        self.watch: Watch[Widget]
        self.seen: dict[tuple[str, str], Widget] = {}
        self._start_watch()

    def _open(self) -> Objects:
        return open_store(Path(self.folder.name) / "state" / "solovirt.db")

    def _start_watch(self, since: int | None = None) -> None:
        async def start() -> Watch[Widget]:
            return self.objects.watch(WIDGETS, since=since)

        self.watch = self.runner.run(start())

    def teardown(self) -> None:
        self.runner.run(self.objects.close())
        self.runner.close()
        self.folder.cleanup()

    # --- what may be done ---

    @rule(name=names, space=namespaces, size=st.integers(0, 9), held=st.booleans())
    def create(self, name: str, space: str, size: int, held: bool) -> None:
        new = widget(name, namespace=space, size=size, finalizers=[HOLD] if held else [])
        try:
            made = self.runner.run(self.objects.create(WIDGETS, new))
        except NotFound:
            assert space not in self.namespaces
        except Forbidden:
            assert self.namespaces[space]
        except AlreadyExists:
            assert (space, name) in self.model
        else:
            assert self.namespaces[space] is False
            assert (space, name) not in self.model
            self.model[space, name] = Modelled(size, held=held, versions=[made.metadata.resource_version])

    @rule(name=names, space=namespaces, growth=st.integers(0, 3), stale=st.booleans())
    def update(self, name: str, space: str, growth: int, stale: bool) -> None:
        found = self.objects.find(WIDGETS, space, name)
        known = self.model.get((space, name))
        assert (found is None) == (known is None)
        if found is None or known is None:
            return
        found.spec.size += growth
        found.status.phase = "ignored"
        if stale and known.versions[0] != found.metadata.resource_version:
            found.metadata.resource_version = known.versions[0]
            try:
                self.runner.run(self.objects.update(WIDGETS, found))
            except Conflict:
                return
            raise AssertionError("a stale write was taken")
        new = self.runner.run(self.objects.update(WIDGETS, found))
        known.size += growth
        known.generation += growth > 0
        if growth:
            known.versions.append(new.metadata.resource_version)
        else:
            assert new.metadata.resource_version == known.versions[-1]

    @rule(name=names, space=namespaces, phase=st.sampled_from(["", "Ready", "Failed"]))
    def write_status(self, name: str, space: str, phase: str) -> None:
        def change(found: Widget) -> bool:
            found.status.phase = phase
            found.spec.size = 77
            return True

        try:
            new = self.runner.run(self.objects.modify(WIDGETS, space, name, change, status=True))
        except NotFound:
            assert (space, name) not in self.model
        else:
            known = self.model[space, name]
            assert (new.metadata.resource_version == known.versions[-1]) == (phase == known.phase)
            known.phase = phase
            known.versions.append(new.metadata.resource_version)

    @rule(name=names, space=namespaces)
    def delete(self, name: str, space: str) -> None:
        try:
            left = self.runner.run(self.objects.delete(WIDGETS, space, name))
        except NotFound:
            assert (space, name) not in self.model
        else:
            assert (left is not None) == self.model[space, name].held
            self._model_delete(space, name)
            if left is not None:
                self.model[space, name].versions.append(left.metadata.resource_version)

    @rule(name=names, space=namespaces)
    def release(self, name: str, space: str) -> None:
        def change(found: Widget) -> bool:
            found.metadata.finalizers = []
            return True

        try:
            new = self.runner.run(self.objects.modify(WIDGETS, space, name, change))
        except NotFound:
            assert (space, name) not in self.model
            return
        known = self.model[space, name]
        known.held = False
        known.versions.append(new.metadata.resource_version)
        if known.deleting:
            del self.model[space, name]
            self._model_namespaces()

    @rule()
    def create_namespace(self) -> None:
        try:
            self.runner.run(self.objects.create(NAMESPACES, namespace("team")))
        except AlreadyExists:
            assert "team" in self.namespaces
        else:
            assert "team" not in self.namespaces
            self.namespaces["team"] = False

    @precondition(lambda self: "team" in self.namespaces)
    @rule()
    def delete_namespace(self) -> None:
        left = self.runner.run(self.objects.delete(NAMESPACES, "", "team"))
        self.namespaces["team"] = True
        for space, name in list(self.model):
            if space == "team":
                self._model_delete(space, name)
        for (space, name), known in self.model.items():
            known.versions.append(self.objects.get(WIDGETS, space, name).metadata.resource_version)
        self._model_namespaces()
        assert (left is not None) == ("team" in self.namespaces)

    @rule(growths=st.lists(st.tuples(names, st.integers(1, 2)), max_size=6))
    def grow_many_at_once(self, growths: list[tuple[str, int]]) -> None:
        async def grow(name: str, growth: int) -> None:
            def change(found: Widget) -> bool:
                found.spec.size += growth
                return True

            try:
                await self.objects.modify(WIDGETS, "default", name, change)
            except NotFound:
                assert ("default", name) not in self.model

        async def all_of_them() -> None:
            await asyncio.gather(*(grow(name, growth) for name, growth in growths))

        self.runner.run(all_of_them())
        for name, growth in growths:
            known = self.model.get(("default", name))
            if known is not None:
                known.size += growth
                known.generation += 1
                known.versions.append(self.objects.get(WIDGETS, "default", name).metadata.resource_version)

    @rule()
    def restart(self) -> None:
        self._catch_up()
        before = self.objects.revision
        self.runner.run(self.objects.close())
        self.objects = self._open()
        assert self.objects.revision == before
        self._start_watch(since=before)

    # --- what must hold ---

    @invariant()
    def both_hold_the_same(self) -> None:
        listed = self.objects.list(WIDGETS)
        held = {
            (item.metadata.namespace, item.metadata.name): (
                item.spec.size,
                item.metadata.generation,
                item.status.phase,
                item.metadata.finalizers == [HOLD],
                item.metadata.deletion_timestamp is not None,
            )
            for item in listed.items
        }
        assert held == {
            key: (known.size, known.generation, known.phase, known.held, known.deleting)
            for key, known in self.model.items()
        }
        spaces = self.objects.list(NAMESPACES).items
        assert {s.metadata.name: s.metadata.deletion_timestamp is not None for s in spaces} == self.namespaces

    @invariant()
    def revisions_only_grow(self) -> None:
        assert self.objects.revision >= self.revision
        self.revision = self.objects.revision

    @invariant()
    def watching_gives_what_listing_gives(self) -> None:
        self._catch_up()
        listed = self.objects.list(WIDGETS).items
        assert self.seen == {(item.metadata.namespace, item.metadata.name): item for item in listed}

    # --- helpers ---

    def _model_delete(self, space: str, name: str) -> None:
        known = self.model[space, name]
        if not known.held:
            del self.model[space, name]
            self._model_namespaces()
        elif not known.deleting:
            known.deleting = True
            known.generation += 1

    def _model_namespaces(self) -> None:
        if self.namespaces.get("team") and not any(space == "team" for space, _ in self.model):
            del self.namespaces["team"]

    def _catch_up(self) -> None:
        async def follow() -> None:
            while self.watch.revision != self.objects.revision:
                self._replay(await anext(self.watch))

        self.runner.run(follow())

    def _replay(self, change: Change[Widget]) -> None:
        key = (change.namespace, change.name)
        assert change.previous == self.seen.get(key)
        assert (change.type == "ADDED") == (key not in self.seen)
        if change.type == "DELETED":
            del self.seen[key]
        else:
            self.seen[key] = change.object


StoreMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStore = StoreMachine.TestCase
