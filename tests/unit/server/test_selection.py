import pytest
from starlette.requests import Request

from solovirt.api.core.configmap import ConfigMap
from solovirt.api.meta import ObjectMeta
from solovirt.api.registry import find
from solovirt.kit.errors import BadRequest
from solovirt.server import selection

CONFIG_MAPS = find("", "v1", "configmaps")
assert CONFIG_MAPS is not None
OBJ = ConfigMap(metadata=ObjectMeta(name="a", namespace="default", labels={"x": "1"}))


def chosen(query: str, name: str = "") -> selection.Selection:
    return selection.from_request(
        Request({"type": "http", "query_string": query.encode(), "headers": []}), CONFIG_MAPS, name
    )


def test_no_selector_is_everything() -> None:
    assert chosen("").everything
    assert chosen("labelSelector=&fieldSelector=").everything
    assert chosen("").matches(CONFIG_MAPS, OBJ)


@pytest.mark.parametrize(
    ("query", "name", "wanted"),
    [
        ("labelSelector=x%3D1", "", True),
        ("labelSelector=x%3D2", "", False),
        ("fieldSelector=metadata.name%3Da", "", True),
        ("fieldSelector=metadata.name%3Da%2Cmetadata.name%3Da", "", True),
        ("fieldSelector=metadata.namespace%3Dother", "", False),
        ("labelSelector=x%3D1&fieldSelector=metadata.name%3Db", "", False),
        ("", "a", True),
        ("", "b", False),
    ],
)
def test_matches(query: str, name: str, wanted: bool) -> None:
    found = chosen(query, name)
    assert not found.everything
    assert found.matches(CONFIG_MAPS, OBJ) is wanted


def test_a_field_that_the_kind_has_not() -> None:
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.x"):
        chosen("fieldSelector=spec.x%3D1")


def test_kinds_with_fields_of_their_own() -> None:
    events, vms = find("", "v1", "events"), find("kubevirt.io", "v1", "virtualmachines")
    assert events is not None and vms is not None
    query = {"type": "http", "query_string": b"fieldSelector=involvedObject.name%3Da", "headers": []}
    assert not selection.from_request(Request(query), events).everything
    with pytest.raises(BadRequest):
        selection.from_request(Request(query), vms)
