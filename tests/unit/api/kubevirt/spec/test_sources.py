import pytest

from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.kit.json import convert

SOURCES = {
    "containerDisk": {"image": "x"},
    "persistentVolumeClaim": {"claimName": "x"},
    "dataVolume": {"name": "x"},
    "emptyDisk": {"capacity": "1Gi"},
    "hostDisk": {"path": "/x", "type": "Disk"},
    "cloudInitNoCloud": {"userData": "x"},
    "cloudInitConfigDrive": {"userData": "x"},
    "configMap": {"name": "x"},
    "secret": {"secretName": "x"},
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_known_by_its_json_name(name: str) -> None:
    assert convert({"name": "v", name: SOURCES[name]}, Volume).sources() == [name]


def test_none_and_all() -> None:
    assert Volume(name="v").sources() == []
    assert convert({"name": "v", **SOURCES}, Volume).sources() == list(SOURCES)
