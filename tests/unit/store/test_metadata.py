from __future__ import annotations

import re

import pytest

from solovirt.api.causes import Causes
from solovirt.api.meta import ObjectMeta, OwnerReference
from solovirt.store import metadata


def _fields(meta: ObjectMeta, *, label_name: bool = False, namespaced: bool = True) -> list[str]:
    causes = Causes()
    metadata.check(causes, meta, label_name=label_name, namespaced=namespaced)
    return [cause.field for cause in causes.found]


def _owner(uid: str = "u", controller: bool | None = None) -> OwnerReference:
    return OwnerReference(api_version="v1", kind="K", name="n", uid=uid, controller=controller)


@pytest.mark.parametrize("name", ["a", "a.b-c", "0", "x" * 253])
def test_good_names(name: str) -> None:
    assert _fields(ObjectMeta(name=name, namespace="default")) == []


@pytest.mark.parametrize("name", ["..", "a/b", "../x", "A", "a_b", "-a", "a\n", "a\x00", "é", "x" * 254, "a..b", "."])
def test_names_that_could_leave_their_folder_are_refused(name: str) -> None:
    assert _fields(ObjectMeta(name=name, namespace="default")) == ["metadata.name"]
    assert _fields(ObjectMeta(name="a", namespace=name)) == ["metadata.namespace"]


def test_some_names_must_be_labels() -> None:
    assert _fields(ObjectMeta(name="a.b"), label_name=True, namespaced=False) == ["metadata.name"]


def test_scope() -> None:
    assert _fields(ObjectMeta(name="a")) == ["metadata.namespace"]
    assert _fields(ObjectMeta(name="a", namespace="b"), namespaced=False) == ["metadata.namespace"]


def test_owners() -> None:
    good = ObjectMeta(name="a", namespace="b", owner_references=[_owner(controller=True), _owner(controller=False)])
    assert _fields(good) == []
    two = ObjectMeta(name="a", namespace="b", owner_references=[_owner(controller=True)] * 2)
    assert _fields(two) == ["metadata.ownerReferences"]
    anonymous = ObjectMeta(name="a", namespace="b", owner_references=[_owner(), _owner(uid="")])
    assert _fields(anonymous) == ["metadata.ownerReferences[1].uid"]


def test_finalizers_of_an_object_that_is_not_deleted_may_grow() -> None:
    causes = Causes()
    new = ObjectMeta(finalizers=["a", "b"])
    metadata.check_finalizers(causes, new, ObjectMeta(finalizers=["a"]))
    assert causes.found == []
    metadata.check_finalizers(causes, new, ObjectMeta(finalizers=["a"], deletion_timestamp="2026-01-01T00:00:00Z"))
    [cause] = causes.found
    assert cause.message.endswith('found new finalizers []string{"b"}')


def test_generated_names_are_dns_labels() -> None:
    names = {metadata.generated_name("vm-") for _ in range(200)}
    assert len(names) > 190
    assert all(re.fullmatch(r"vm-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)
    assert len(metadata.generated_name("x" * 70)) == 63
