"""Values of downwardAPI files, as the kubelet writes them."""

from __future__ import annotations

import pytest

from solovirt.api.kubevirt.downward import content, known_field
from solovirt.api.kubevirt.spec.sources import DownwardAPIFile
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.kit.json import convert

VMI = convert(
    {
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u-1",
            "labels": {"b": "2", "a/x": "1"},
            "annotations": {"note": 'say "hi"\nthere\\'},
        },
        "spec": {
            "domain": {
                "cpu": {"sockets": 2, "cores": 2},
                "memory": {"guest": "1Gi"},
                "resources": {"requests": {"cpu": "1500m", "memory": "100M"}, "limits": {"memory": "2Gi"}},
            }
        },
    },
    VirtualMachineInstance,
)


def of(**given: object) -> str:
    return content(VMI, convert({"path": "f", **given}, DownwardAPIFile)).decode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels", 'a/x="1"\nb="2"'),
        ("metadata.annotations", 'note="say \\"hi\\"\\nthere\\\\"'),
        ("metadata.labels['b']", "2"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", 'say "hi"\nthere\\'),
    ],
)
def test_fields(path: str, value: str) -> None:
    assert known_field(path)
    assert of(fieldRef={"fieldPath": path}) == value


@pytest.mark.parametrize("path", ["spec.nodeName", "status.podIP", "metadata.labels['']", "metadata.x['a']"])
def test_fields_of_pods_are_unknown(path: str) -> None:
    assert not known_field(path)
    with pytest.raises(ValueError, match="no field of a VirtualMachineInstance"):
        of(fieldRef={"fieldPath": path})


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("requests.cpu", None, "2"),
        ("requests.cpu", "1m", "1500"),
        ("limits.cpu", None, "4"),
        ("limits.memory", "1Mi", "2048"),
        ("requests.memory", "1Mi", "96"),
        ("requests.memory", 0, "100000000"),
    ],
)
def test_resources_are_rounded_up(resource: str, divisor: object, value: str) -> None:
    assert of(resourceFieldRef={"resource": resource, "divisor": divisor}) == value


def test_nothing_else() -> None:
    with pytest.raises(ValueError, match="is not one of"):
        of(resourceFieldRef={"resource": "limits.gpu"})
    with pytest.raises(ValueError, match="one of fieldRef"):
        of()
