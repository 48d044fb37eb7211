"""ControllerRevisions: data is there and stays."""

from __future__ import annotations

from solovirt.api.apps.controllerrevision import RESOURCE, ControllerRevision, validate
from solovirt.api.meta import ObjectMeta, OwnerReference


def made(**fields: object) -> ControllerRevision:
    return ControllerRevision(metadata=ObjectMeta(name="r", namespace="default"), data=dict(fields))


def test_data_is_mandatory_and_immutable() -> None:
    assert [cause.field for cause in validate(made(), None)] == ["data"]
    assert validate(made(a=1), None) == []
    assert validate(made(a=1), made(a=1)) == []
    (cause,) = validate(made(a=2), made(a=1))
    assert cause.message == "data: Invalid value: field is immutable"
    negative = made(a=1)
    negative.revision = -1
    assert [cause.field for cause in validate(negative, None)] == ["revision"]


def test_the_owner_is_a_column() -> None:
    found = made(a=1)
    assert RESOURCE.columns[0].cell(found) == "<none>"
    ref = OwnerReference(api_version="kubevirt.io/v1", kind="VirtualMachine", name="web", uid="u", controller=True)
    found.metadata.owner_references = [ref]
    assert RESOURCE.columns[0].cell(found) == "virtualmachine.kubevirt.io/web"
