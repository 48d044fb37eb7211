import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.validation.spec import RESERVED_LABELS, check_instance_metadata, check_spec
from solovirt.api.meta import ObjectMeta

from ...samples import only, spec_causes, vm


def test_the_sample_is_good() -> None:
    assert spec_causes({}) == spec_causes({"startStrategy": "Paused"}) == []


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        (
            {"hostname": "a.b"},
            "spec.hostname",
            "spec.hostname does not conform to the kubernetes DNS_LABEL rules : a lowercase RFC 1123 label",
        ),
        ({"hostname": "a\nb"}, "spec.hostname", "DNS_LABEL rules"),
        ({"architecture": "arm64"}, "spec.architecture", '"arm64": this host runs amd64 guests only'),
        ({"architecture": "s390x"}, "spec.architecture", "this host runs amd64 guests only"),
        ({"architecture": "m68k"}, "spec.architecture", "unsupported architecture: 'm68k'"),
        (
            {"terminationGracePeriodSeconds": -1},
            "spec.terminationGracePeriodSeconds",
            "must be between 0 and",
        ),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == field and message in cause.message


def test_problems_of_all_parts_come_at_once() -> None:
    made = vm(
        {
            "spec.template.spec.hostname": "A",
            "spec.template.spec.domain.cpu.cores": 0,
            "spec.template.spec.domain.firmware": {"uuid": "x"},
            "spec.template.spec.domain.devices.disks[0].cache": "x",
            "spec.template.spec.volumes[0].containerDisk.image": "",
            "spec.template.spec.domain.devices.interfaces[0].model": "x",
        }
    )
    causes = Causes()
    check_spec(causes, made.spec.template.spec, "t")
    assert [cause.field for cause in causes.found] == [
        "t.hostname",
        "t.domain.cpu.cores",
        "t.domain.firmware.uuid",
        "t.domain.devices.disks[0].cache",
        "t.volumes[0].containerDisk.image",
        "t.domain.devices.interfaces[0].model",
    ]


@pytest.mark.parametrize("label", sorted(RESERVED_LABELS))
def test_reserved_labels(label: str) -> None:
    causes = Causes()
    check_instance_metadata(causes, ObjectMeta(labels={label: "x", "kubevirt.io/size": "small"}), "m")
    assert only(causes.found).message == (
        f"m.labels: creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited: {label}"
    )


@pytest.mark.parametrize(
    ("name", "gate"),
    [("hooks.kubevirt.io/hookSidecars", "sidecar"), ("kubevirt.io/ignitiondata", "ExperimentalIgnitionSupport")],
)
def test_annotations_behind_a_feature_gate(name: str, gate: str) -> None:
    causes = Causes()
    annotations = {name: "[]", "kubevirt.io/pci-topology-version": "v3"}
    check_instance_metadata(causes, ObjectMeta(annotations=annotations), "m")
    assert only(causes.found).message == (
        f"m.annotations: {gate} feature gate is not enabled in kubevirt-config, invalid entry m.annotations.{name}"
    )


def test_an_empty_annotation_asks_for_nothing() -> None:
    causes = Causes()
    check_instance_metadata(causes, ObjectMeta(annotations={"hooks.kubevirt.io/hookSidecars": ""}), "m")
    assert causes.found == []
