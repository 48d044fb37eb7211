import copy

import pytest

from solovirt.api.core.persistentvolumeclaim import (
    RESOURCE,
    PersistentVolumeClaim,
    PersistentVolumeClaimStatus,
    default,
    validate,
)
from solovirt.api.decode import decode
from solovirt.kit.json import JsonObject

from ..samples import REMOVED, changed

CLAIM: JsonObject = {
    "metadata": {"name": "data", "namespace": "default"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def claim(changes: dict[str, object] | None = None) -> PersistentVolumeClaim:
    made = decode(RESOURCE, changed(CLAIM, changes or {})).object
    default(made)
    return made


def messages(new: PersistentVolumeClaim, old: PersistentVolumeClaim | None = None) -> list[str]:
    return [cause.message for cause in validate(new, old)]


def test_a_good_claim() -> None:
    assert messages(claim()) == [] and claim().spec.volume_mode == "Filesystem"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec.accessModes": []}, "spec.accessModes: Required value: at least 1 access mode is required"),
        (
            {"spec.accessModes": ["RWO"]},
            'spec.accessModes: Unsupported value: "RWO": supported values: ',
        ),
        (
            {"spec.accessModes": ["ReadWriteOnce", "ReadWriteOncePod"]},
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
        ),
        ({"spec.resources": REMOVED}, "spec.resources.requests.storage: Required value"),
        (
            {"spec.resources.requests.storage": "0"},
            'spec.resources.requests.storage: Invalid value: "0": must be',
        ),
        (
            {"spec.resources.requests.storage": "1GB"},
            'spec.resources.requests.storage: Invalid value: "1GB": quan',
        ),
        ({"spec.volumeMode": "x"}, 'spec.volumeMode: Unsupported value: "x": supported values: "Block", "Filesystem"'),
        ({"metadata.name": "../x"}, 'metadata.name: Invalid value: "../x"'),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], message: str) -> None:
    [found] = messages(claim(changes))
    assert found.startswith(message)


def test_only_growing_is_allowed() -> None:
    assert messages(claim({"spec.resources.requests.storage": "2Gi"}), claim()) == []
    assert messages(claim({"spec.resources.requests.storage": "512Mi"}), claim()) == [
        "spec.resources.requests.storage: Forbidden: field can not be less than previous value"
    ]
    text = "spec: Forbidden: spec is immutable after creation except resources.requests for bound claims"
    assert messages(claim({"spec.accessModes": ["ReadWriteMany"]}), claim()) == [text]
    assert messages(claim({"spec.volumeName": "v"}), claim()) == []
    assert messages(claim({"spec.volumeName": "w"}), claim({"spec.volumeName": "v"})) == [text]


def test_columns_show_what_is_bound() -> None:
    made = copy.deepcopy(claim({"spec.storageClassName": "local"}))
    cells = {column.name: column.cell for column in RESOURCE.columns}
    assert cells["Capacity"](made) is None and cells["Access Modes"](made) == ""
    made.status = PersistentVolumeClaimStatus(
        phase="Bound", access_modes=["ReadWriteOnce", "ReadWriteMany"], capacity={"storage": "1Gi"}
    )
    assert cells["Capacity"](made) == "1Gi" and cells["Access Modes"](made) == "RWO,RWX"
    assert cells["StorageClass"](made) == "local"
