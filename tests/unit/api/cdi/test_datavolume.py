import pytest

from solovirt.api.cdi.datavolume import RESOURCE, DataVolume, validate
from solovirt.api.decode import decode
from solovirt.kit.json import JsonObject

from ..samples import REMOVED, changed

VOLUME: JsonObject = {
    "metadata": {"name": "root", "namespace": "default"},
    "spec": {
        "source": {"http": {"url": "https://example.org/a.qcow2"}},
        "storage": {"resources": {"requests": {"storage": "1Gi"}}},
    },
}
SHA = "sha256:" + "a" * 64


def volume(changes: dict[str, object] | None = None) -> DataVolume:
    return decode(RESOURCE, changed(VOLUME, changes or {})).object


def messages(new: DataVolume, old: DataVolume | None = None) -> list[str]:
    return [cause.message for cause in validate(new, old)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"spec.source": {"blank": {}}, "spec.contentType": "kubevirt", "spec.preallocation": True},
        {"spec.contentType": "archive", "spec.storage.storageClassName": "fast", "spec.storage.volumeMode": "Block"},
        {"spec.priorityClassName": "high", "spec.serviceAccountName": "importer"},
        {
            "spec.source": {"vddk": {"secretRef": "s", "uuid": "u", "backingFile": "f", "thumbprint": "t"}},
            "spec.checkpoints": [{"previous": "a", "current": "b"}],
            "spec.finalCheckpoint": True,
        },
        {"spec.source.http.checksum": SHA, "spec.source.http.url": "http://[::1]:8080/x?y=z"},
        {
            "spec.storage": REMOVED,
            "spec.pvc": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": 1024}}},
        },
    ],
)
def test_good_ones(changes: dict[str, object]) -> None:
    assert messages(volume(changes)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec.source": REMOVED}, "spec.source: Required value: Data volume should have either Source"),
        ({"spec.source": {}}, "spec.source: Missing data volume source"),
        ({"spec.source.blank": {}}, "spec.source: Multiple data volume sources specified"),
        ({"spec.source.http.url": "ftp://x/y"}, 'spec.source.http.url: Invalid value: "ftp://x/y": Invalid source URL'),
        ({"spec.source.http.url": "file:///etc/passwd"}, "spec.source.http.url: Invalid value:"),
        (
            {"spec.source.http.url": "http://"},
            'spec.source.http.url: Invalid value: "http://": Invalid source URL',
        ),
        ({"spec.source.http.url": "http://x:99999/"}, "spec.source.http.url: Invalid value:"),
        ({"spec.source.http.url": "http://x/a b"}, "spec.source.http.url: Invalid value:"),
        ({"spec.source.http.url": "http://x/\n"}, "spec.source.http.url: Invalid value:"),
        ({"spec.source.http.url": ""}, 'spec.source.http.url: Invalid value: "": must be set'),
        (
            {"spec.source.http.checksum": "crc:12"},
            'spec.source.http.checksum: Invalid value: "crc:12": must be',
        ),
        ({"spec.source.http.checksum": "sha256:12"}, 'spec.source.http.checksum: Invalid value: "sha256:12": a sha256'),
        ({"spec.sourceRef": {"kind": "DataSource", "name": "x"}}, "spec.source: Data volume should have either Source"),
        ({"spec.contentType": "x"}, 'spec.contentType: Invalid value: "x": ContentType not one of: kubevirt, archive'),
        ({"spec.storage": REMOVED}, "spec: Missing storage definition, one of spec.pvc and spec.storage must be set"),
        ({"spec.storage.resources": {}}, "spec.storage.resources.requests.storage: Required value"),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], message: str) -> None:
    [found] = messages(volume(changes))
    assert found.startswith(message)


def test_two_targets_are_one_too_many() -> None:
    both = {"spec.pvc": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": 1}}}}
    assert messages(volume(both)) == [
        "spec: Duplicate storage definition, only one of spec.pvc and spec.storage may be set"
    ]


def test_the_spec_is_immutable() -> None:
    assert messages(volume(), volume()) == []
    assert messages(volume({"spec.contentType": "kubevirt"}), volume()) == [
        "spec: Forbidden: Cannot update DataVolume Spec"
    ]


def test_a_clone_may_leave_its_size_out() -> None:
    clone = {"pvc": {"namespace": "a", "name": "b"}}
    assert messages(volume({"spec.source": clone, "spec.storage": {}})) == []
    reference = {"kind": "DataSource", "name": "fedora", "namespace": "images"}
    assert messages(volume({"spec.source": REMOVED, "spec.sourceRef": reference, "spec.storage": {}})) == []


def test_columns() -> None:
    made = volume()
    made.status.phase, made.status.progress = "ImportInProgress", "12.5%"
    assert [column.cell(made) for column in RESOURCE.columns] == ["ImportInProgress", "12.5%", 0, None]
