"""CDI's rules for sources."""

from __future__ import annotations

import pytest

from solovirt.api.causes import Causes
from solovirt.api.cdi.sources import DataVolumeImport, SourceReference, check_source, check_source_reference
from solovirt.kit.json import convert

GOOD: list[dict[str, object]] = [
    {"http": {"url": "https://x/y", "extraHeaders": ["X-A: b"], "secretRef": "s", "certConfigMap": "c"}},
    {"http": {"url": "https://x/y", "secretExtraHeaders": ["s"], "insecureSkipVerify": True}},
    {"s3": {"url": "s3://bucket/disk", "secretRef": "s", "certConfigMap": "c"}},
    {"gcs": {"url": "gs://bucket/disk", "secretRef": "s"}},
    {"registry": {"url": "docker://quay.io/a/b:1", "secretRef": "s", "platform": {"architecture": "amd64"}}},
    {"registry": {"url": "oci-archive://a", "pullMethod": "pod", "certConfigMap": "c"}},
    {"registry": {"imageStream": "fedora", "pullMethod": "node"}},
    {"pvc": {"namespace": "a", "name": "b"}},
    {"snapshot": {"namespace": "a", "name": "b"}},
    {"upload": {}},
    {"blank": {}},
    {
        "imageio": {
            "url": "https://x",
            "diskId": "d",
            "secretRef": "s",
            "certConfigMap": "c",
            "insecureSkipVerify": True,
        }
    },
    {
        "vddk": {
            "url": "https://x",
            "uuid": "u",
            "backingFile": "f",
            "thumbprint": "t",
            "secretRef": "s",
            "certConfigMap": "c",
            "initImageURL": "i",
            "extraArgs": "a",
        }
    },
]


def found(source: dict[str, object], content_type: str = "") -> list[tuple[str, str]]:
    causes = Causes()
    check_source(causes, convert(source, DataVolumeImport), content_type, "s")
    return [(cause.field, cause.message) for cause in causes.found]


@pytest.mark.parametrize("source", GOOD, ids=lambda source: next(iter(source)))
def test_good_ones(source: dict[str, object]) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "field", "message"),
    [
        ({}, "s", "Missing data volume source"),
        ({"blank": {}, "upload": {}}, "s", "Multiple data volume sources specified"),
        ({"http": {"url": "https://x/y", "extraHeaders": ["bad"]}}, "s.http.extraHeaders[0]", "must be NAME: VALUE"),
        ({"http": {"url": "https://x", "extraHeaders": ["A: b\r\nC: d"]}}, "s.http.extraHeaders[0]", "printable ASCII"),
        ({"s3": {"url": ""}}, "s.s3.url", "must be set"),
        ({"gcs": {"url": "\n"}}, "s.gcs.url", "must be set"),
        ({"registry": {}}, "s.registry", "source registry should have either URL or ImageStream"),
        ({"registry": {"url": "ftp://x"}}, "s.registry.url", "Illegal registry source URL scheme ftp"),
        ({"registry": {"url": "docker://--help"}}, "s.registry.url", "must be an image reference"),
        (
            {"registry": {"url": "docker://x", "pullMethod": "ssh"}},
            "s.registry.pullMethod",
            'ImportMethod ssh is neither pod, node or ""',
        ),
        ({"registry": {"imageStream": "x"}}, "s.registry.imageStream", "only with node pull import method"),
        ({"pvc": {"name": "b"}}, "s.pvc", "s.pvc source PVC is not valid"),
        ({"snapshot": {"namespace": "b"}}, "s.snapshot", "s.snapshot source snapshot is not valid"),
        ({"imageio": {"url": "https://x"}}, "s.imageio", "source Imageio is not valid"),
        ({"vddk": {"url": "https://x"}}, "s.vddk", "source VDDK is not valid"),
    ],
)
def test_each_problem_is_named(source: dict[str, object], field: str, message: str) -> None:
    [(place, text)] = found(source)
    assert place == field and message in text and text.startswith(field)


def test_archives_are_not_made_of_everything() -> None:
    assert "blank and the contentType archive" in found({"blank": {}}, "archive")[0][1]
    assert "Registry and the contentType archive" in found({"registry": {"url": "docker://x"}}, "archive")[0][1]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("", "x", "Missing sourceRef kind"),
        ("Disk", "x", "Unsupported sourceRef kind Disk, currently only DataSource is supported"),
        ("DataSource", "", "Missing sourceRef name"),
    ],
)
def test_references(kind: str, name: str, message: str) -> None:
    causes = Causes()
    check_source_reference(causes, SourceReference(kind=kind, name=name), "s")
    assert message in causes.found[0].message
