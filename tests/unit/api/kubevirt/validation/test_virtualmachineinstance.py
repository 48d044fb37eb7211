from solovirt.api.kubevirt.validation.virtualmachineinstance import validate_vmi
from solovirt.api.meta import OwnerReference

from ...samples import only, vmi


def test_a_good_one() -> None:
    assert validate_vmi(vmi(), None) == []


def test_users_change_no_spec() -> None:
    cause = only(validate_vmi(vmi({"spec.hostname": "other"}), vmi()))
    assert (cause.reason, cause.message) == ("FieldValueNotSupported", "update of VMI object is restricted")
    assert validate_vmi(vmi({"metadata.labels": {"a": "b"}}), vmi()) == []


def test_reserved_labels_are_for_controllers() -> None:
    made = vmi({"metadata.labels": {"kubevirt.io/created-by": "u"}})
    assert "reserved kubevirt.io/ labels" in only(validate_vmi(made, None)).message
    owner = OwnerReference(api_version="kubevirt.io/v1", kind="VirtualMachine", name="web", uid="u")
    made.metadata.owner_references = [owner]
    assert validate_vmi(made, None) == []


def test_paths_begin_with_spec() -> None:
    assert only(validate_vmi(vmi({"spec.hostname": "A"}), None)).field == "spec.hostname"


def test_a_vmi_that_goes_away_is_let_go() -> None:
    assert validate_vmi(vmi({"metadata.deletionTimestamp": "t", "spec.hostname": "A"}), None) == []
