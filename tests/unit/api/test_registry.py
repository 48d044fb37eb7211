import pytest

from solovirt.api import registry


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("vm", "vms", "VirtualMachine", "virtualmachines", "virtualmachines.kubevirt.io"), "VirtualMachine"),
        (("vmi", "vmis", "virtualmachineinstances.v1.kubevirt.io"), "VirtualMachineInstance"),
        (("dv", "dvs", "datavolume.cdi.kubevirt.io"), "DataVolume"),
        (("pvc", "persistentvolumeclaims"), "PersistentVolumeClaim"),
        (("cm", "configmap"), "ConfigMap"),
        (("secret", "secrets"), "Secret"),
        (("ev", "events"), "Event"),
        (("vmirs", "vmirss", "virtualmachineinstancereplicasets.kubevirt.io"), "VirtualMachineInstanceReplicaSet"),
        (("vmpool", "vmpools", "virtualmachinepools.v1alpha1.pool.kubevirt.io"), "VirtualMachinePool"),
        (("ns", "namespaces", "namespaces.v1"), "Namespace"),
    ],
)
def test_kinds_by_every_name(names: tuple[str, ...], kind: str) -> None:
    for name in names:
        found = registry.by_name(name)
        assert found is not None and found.kind == kind


def test_kinds_by_path_and_by_manifest() -> None:
    for kind in registry.ALL:
        assert registry.find(kind.group, kind.version, kind.plural) is kind
        assert registry.by_kind(kind.api_version, kind.kind) is kind
    assert registry.find("kubevirt.io", "v1", "nothing") is None
    assert registry.by_kind("v1", "VirtualMachine") is None
    assert registry.by_name("pod") is None


def test_names_are_unique_and_categories_kubevirts() -> None:
    assert len({kind.key for kind in registry.ALL}) == len(registry.ALL) == 16
    assert {kind.plural for kind in registry.ALL if "all" in kind.categories} == {
        "virtualmachines",
        "virtualmachineinstances",
        "datavolumes",
        "virtualmachineinstancereplicasets",
        "virtualmachinepools",
        "virtualmachineinstancetypes",
        "virtualmachinepreferences",
        "virtualmachineinstancepresets",
    }
    assert [kind.plural for kind in registry.ALL if not kind.namespaced] == [
        "namespaces",
        "virtualmachineclusterinstancetypes",
        "virtualmachineclusterpreferences",
    ]


def test_another_version_is_the_same_kind() -> None:
    old = registry.by_kind("kubevirt.io/v1alpha3", "VirtualMachine")
    assert old is not None
    assert old is registry.find("kubevirt.io", "v1alpha3", "virtualmachines")
    assert (old.key, old.api_version, old.stored_api_version) == (
        registry.VIRTUAL_MACHINES.key,
        "kubevirt.io/v1alpha3",
        "kubevirt.io/v1",
    )
    assert old not in registry.ALL
    assert registry.by_name("vm") is registry.find("kubevirt.io", "v1", "virtualmachines")
    assert {(r.group, r.version) for r in registry.SERVED} >= {
        ("pool.kubevirt.io", "v1beta1"),
        ("pool.kubevirt.io", "v1alpha1"),
    }
