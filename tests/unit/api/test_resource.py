from solovirt.api.core.configmap import ConfigMap
from solovirt.api.registry import CONFIG_MAPS, VIRTUAL_MACHINES
from solovirt.api.resource import Resource


def test_names_of_a_kind() -> None:
    assert VIRTUAL_MACHINES.api_version == "kubevirt.io/v1"
    assert VIRTUAL_MACHINES.key == "virtualmachines.kubevirt.io"
    assert VIRTUAL_MACHINES.singular_key == "virtualmachine.kubevirt.io"
    assert (CONFIG_MAPS.api_version, CONFIG_MAPS.key, CONFIG_MAPS.singular_key) == ("v1", "configmaps", "configmap")


def test_a_kind_without_rules_takes_everything() -> None:
    kind = Resource(group="", version="v1", kind="X", plural="xs", singular="x", type=ConfigMap)
    obj = ConfigMap(data={"a": "b"})
    kind.default(obj)
    assert obj == ConfigMap(data={"a": "b"})
    assert kind.validate(obj, None) == [] and kind.selectable(obj) == {}
