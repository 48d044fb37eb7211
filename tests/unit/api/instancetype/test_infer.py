"""Names out of the labels of volumes."""

from __future__ import annotations

import pytest

from solovirt.api.cdi.datavolume import RESOURCE as DATA_VOLUMES
from solovirt.api.core.persistentvolumeclaim import RESOURCE as CLAIMS
from solovirt.api.instancetype.infer import infer
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.kit.errors import BadRequest
from tests.unit.api.instancetype.samples import Objects, make, vm

PREFIX = "instancetype.kubevirt.io/default-"
LABELS = {f"{PREFIX}instancetype": "small", f"{PREFIX}instancetype-kind": "K", f"{PREFIX}preference": "os"}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUME = {"source": {"blank": {}}, "pvc": CLAIM}
OBJECTS = Objects(
    make(CLAIMS, "labelled", CLAIM, labels=LABELS),  # type: ignore[arg-type]
    make(CLAIMS, "bare", CLAIM),  # type: ignore[arg-type]
    make(DATA_VOLUMES, "labelled", VOLUME, labels=LABELS),  # type: ignore[arg-type]
    make(DATA_VOLUMES, "bare", VOLUME),  # type: ignore[arg-type]
)


def with_volume(source: dict[str, object], policy: str = "", **fields: object) -> VirtualMachine:
    matcher = {"inferFromVolume": "root", "inferFromVolumeFailurePolicy": policy}
    made = vm({"memory": {"guest": "1Gi"}}, instancetype=matcher, preference=dict(matcher), **fields)
    template = vm(template={"spec": {"domain": {}, "volumes": [{"name": "root", **source}]}}).spec.template
    made.spec.template.spec.volumes = template.spec.volumes
    return made


@pytest.mark.parametrize(
    "source",
    [
        {"persistentVolumeClaim": {"claimName": "labelled"}},
        {"dataVolume": {"name": "labelled"}},
    ],
)
def test_labels_become_names(source: dict[str, object]) -> None:
    made = with_volume(source)
    infer(made, OBJECTS)
    assert made.spec.instancetype is not None
    assert made.spec.preference is not None
    assert (made.spec.instancetype.name, made.spec.instancetype.kind) == ("small", "K")
    assert (made.spec.preference.name, made.spec.preference.infer_from_volume) == ("os", "")
    assert made.spec.template.spec.domain.memory is not None


def test_a_collected_data_volume_leaves_its_claim() -> None:
    made = with_volume({"dataVolume": {"name": "labelled"}})
    infer(made, Objects(OBJECTS.objects[0]))
    assert made.spec.instancetype is not None
    assert made.spec.instancetype.name == "small"


def test_with_ignore_the_memory_of_the_template_gives_way() -> None:
    made = with_volume({"persistentVolumeClaim": {"claimName": "labelled"}}, "Ignore")
    infer(made, OBJECTS)
    assert made.spec.template.spec.domain.memory is None


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            {"persistentVolumeClaim": {"claimName": "bare"}},
            f"unable to find required {PREFIX}instancetype label on the volume",
        ),
        ({"dataVolume": {"name": "bare"}}, "unable to infer defaults from DataVolumeSpec"),
        ({"containerDisk": {"image": "x"}}, "unable to infer defaults from volume root as type is not supported"),
    ],
)
def test_without_labels(source: dict[str, object], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        infer(with_volume(source), OBJECTS)
    made = with_volume(source, "Ignore")
    infer(made, OBJECTS)
    assert made.spec.instancetype is made.spec.preference is None
    assert made.spec.template.spec.domain.memory is not None


def test_what_is_missing_is_never_ignored() -> None:
    with pytest.raises(BadRequest, match='persistentvolumeclaims "gone" not found'):
        infer(with_volume({"persistentVolumeClaim": {"claimName": "gone"}}, "Ignore"), OBJECTS)
    made = with_volume({"emptyDisk": {"capacity": "1Gi"}}, "Ignore")
    made.spec.template.spec.volumes[0].name = "other"
    with pytest.raises(BadRequest, match="unable to find volume root to infer defaults"):
        infer(made, OBJECTS)


def test_a_template_is_made_only_later() -> None:
    template = {"metadata": {"name": "labelled"}, "spec": VOLUME}
    made = with_volume({"dataVolume": {"name": "labelled"}}, dataVolumeTemplates=[template])
    with pytest.raises(BadRequest, match="DataVolumeSource is not supported"):
        infer(made, OBJECTS)


@pytest.mark.parametrize("policy", ["", "Ignore"])
def test_the_claim_that_a_data_volume_copies(policy: str) -> None:
    copy: dict[str, object] = {"source": {"pvc": {"name": "labelled", "namespace": "default"}}, "pvc": CLAIM}
    made = with_volume({"dataVolume": {"name": "new"}}, policy)
    infer(made, Objects(OBJECTS.objects[0], make(DATA_VOLUMES, "new", copy)))  # type: ignore[arg-type]
    assert made.spec.instancetype is not None
    template = {"metadata": {"name": "new"}, "spec": copy}
    made = with_volume({"dataVolume": {"name": "new"}}, policy, dataVolumeTemplates=[template])
    infer(made, OBJECTS)
    assert made.spec.instancetype is not None
    assert made.spec.instancetype.name == "small"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("DataSource", 'datasources.cdi.kubevirt.io "golden" not found'),
        ("Other", "unable to infer defaults from DataVolumeSourceRef as Kind Other is not supported"),
    ],
)
def test_references_to_sources(kind: str, text: str) -> None:
    spec: dict[str, object] = {"sourceRef": {"kind": kind, "name": "golden"}, "pvc": CLAIM}
    template = {"metadata": {"name": "new"}, "spec": spec}
    with pytest.raises(BadRequest, match=text):
        infer(with_volume({"dataVolume": {"name": "new"}}, dataVolumeTemplates=[template]), OBJECTS)
