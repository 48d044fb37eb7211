import pytest

from solovirt.api.kubevirt.validation.virtualmachine import validate_vm
from solovirt.api.kubevirt.virtualmachine import VirtualMachine

from ...samples import REMOVED, only, vm

TEMPLATE = {
    "metadata": {"name": "data"},
    "spec": {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "1Gi"}}}},
}
USED = {
    "spec.template.spec.volumes[2]": {"name": "data", "dataVolume": {"name": "data"}},
    "spec.template.spec.domain.devices.disks[2]": {"name": "data", "disk": {"bus": "virtio"}},
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"spec.runStrategy": REMOVED, "spec.running": True},
        *({"spec.runStrategy": name} for name in ("Halted", "Manual", "Always", "RerunOnFailure", "Once")),
        {"spec.dataVolumeTemplates": [TEMPLATE], **USED},
        {
            "spec.dataVolumeTemplates": [TEMPLATE],
            **USED,
            "spec.template.spec.volumes[2]": {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        },
    ],
)
def test_good_ones(changes: dict[str, object]) -> None:
    assert validate_vm(vm(changes), None) == []


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"spec.runStrategy": REMOVED}, "spec.runStrategy", "RunStrategy must be specified"),
        (
            {"spec.running": True},
            "spec.running",
            "Running and RunStrategy are mutually exclusive. Note that Running is deprecated",
        ),
        ({"spec.runStrategy": "Sometimes"}, "spec.runStrategy", "Invalid RunStrategy ('Sometimes')"),
        (
            {"spec.runStrategy": "WaitAsReceiver"},
            "spec.runStrategy",
            'spec.runStrategy "WaitAsReceiver": known to KubeVirt, not supported yet',
        ),
        ({"metadata.name": "x" * 64}, "metadata.name", "must be no more than 63 characters"),
        ({"metadata.name": "Web"}, "metadata.name", "a lowercase RFC 1123 subdomain must consist of"),
        ({"spec.template.metadata.labels": {"a": "-"}}, "spec.template.metadata.labels", "a valid label must be"),
        (
            {"spec.template.metadata.labels": {"kubevirt.io/nodeName": "x"}},
            "spec.template.metadata.labels",
            "creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited",
        ),
        ({"spec.template.spec.hostname": "A"}, "spec.template.spec.hostname", "DNS_LABEL"),
        (
            {"spec.dataVolumeTemplates": [TEMPLATE]},
            "spec.dataVolumeTemplates[0]",
            "DataVolumeTemplate entry spec.dataVolumeTemplates[0] must be referenced in the VMI template's 'volumes'",
        ),
        (
            {"spec.dataVolumeTemplates": [{**TEMPLATE, "metadata": {}}]},
            "spec.dataVolumeTemplates[0].metadata.name",
            "'name' field must not be empty for DataVolumeTemplate entry spec.dataVolumeTemplates[0].",
        ),
        (
            {"spec.dataVolumeTemplates": [TEMPLATE, TEMPLATE], **USED},
            "spec.dataVolumeTemplates[1].metadata.name",
            'Duplicate value: "data"',
        ),
        (
            {"spec.dataVolumeTemplates": [{**TEMPLATE, "metadata": {"name": "data", "namespace": "x"}}], **USED},
            "spec.dataVolumeTemplates[0].metadata.namespace",
            "Embedded DataVolume namespace x differs from VM namespace default",
        ),
        (
            {"spec.dataVolumeTemplates": [{**TEMPLATE, "spec": {**TEMPLATE["spec"], "source": {}}}], **USED},
            "spec.dataVolumeTemplates[0].spec.source",
            "Missing data volume source",
        ),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(validate_vm(vm(changes), None))
    assert cause.field == field and message in cause.message


def test_a_vm_that_goes_away_is_let_go() -> None:
    assert validate_vm(vm({"metadata.deletionTimestamp": "2026-11-22T14:00:00Z", "spec.runStrategy": "x"}), None) == []


def test_the_way_volumes_are_updated() -> None:
    for strategy in ("Replacement", "Migration"):
        assert validate_vm(vm({"spec.updateVolumesStrategy": strategy}), None) == []
    cause = only(validate_vm(vm({"spec.updateVolumesStrategy": "Magic"}), None))
    assert cause.field == "spec.updateVolumesStrategy" and "Unsupported value" in cause.message


def test_disks_of_a_running_vm_are_not_copied() -> None:
    def claimed(name: str, strategy: str = "Migration") -> VirtualMachine:
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": name}}
        return vm({"spec.updateVolumesStrategy": strategy, **USED, "spec.template.spec.volumes[2]": volume})

    old = claimed("a")
    assert validate_vm(claimed("b"), old) == []
    old.status.created = True
    assert validate_vm(claimed("a"), old) == [] and validate_vm(claimed("b", "Replacement"), old) == []
    cause = only(validate_vm(claimed("b"), old))
    assert cause.field == "spec.updateVolumesStrategy" and "cannot be copied" in cause.message
