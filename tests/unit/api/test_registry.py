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
    assert len({kind.key for kind in registry.ALL}) == len(registry.ALL) == 8
    assert {kind.plural for kind in registry.ALL if "all" in kind.categories} == {
        "virtualmachines",
        "virtualmachineinstances",
        "datavolumes",
    }
    assert [kind.plural for kind in registry.ALL if not kind.namespaced] == ["namespaces"]
