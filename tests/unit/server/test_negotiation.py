import pytest

from solovirt.kit.errors import UnsupportedMediaType
from solovirt.server.errors import NotAcceptable
from solovirt.server.negotiation import (
    DISCOVERY_TYPE,
    Representation,
    accepted,
    accepts_aggregated_discovery,
    body_type,
    patch_type,
)

AGG = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
OLD_AGG = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", Representation()),
        ("*/*", Representation()),
        ("application/json, */*", Representation()),
        ("application/vnd.kubernetes.protobuf,application/json", Representation()),
        ("application/yaml", Representation("application/yaml")),
        ("application/json;q=0.5,application/yaml", Representation("application/yaml")),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Representation(shape="Table")),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", Representation(shape="Table", version="v1beta1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", Representation()),
        (
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            Representation(shape="PartialObjectMetadata"),
        ),
        ("text/html,*/*;q=0.1", Representation()),
    ],
)
def test_accept(header: str, wanted: Representation) -> None:
    assert accepted(header) == wanted


@pytest.mark.parametrize(
    "header",
    ["text/html", "application/vnd.kubernetes.protobuf", "application/json;q=0", "application/json;as=X;v=v1;g=y"],
)
def test_nothing_acceptable(header: str) -> None:
    with pytest.raises(NotAcceptable, match="only the following media types are accepted"):
        accepted(header)


def test_a_stream_is_json_only() -> None:
    with pytest.raises(NotAcceptable):
        accepted("application/yaml", yaml=False)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [(AGG, True), (DISCOVERY_TYPE, True), (OLD_AGG, False), ("application/json", False), ("", False), ("*/*", False)],
)
def test_aggregated_discovery(header: str, wanted: bool) -> None:
    assert accepts_aggregated_discovery(header) is wanted


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("application/yaml", "application/yaml"),
        ("text/yaml", "application/yaml"),
    ],
)
def test_body_types(header: str, wanted: str) -> None:
    assert body_type(header) == wanted


@pytest.mark.parametrize(
    "header", ["application/vnd.kubernetes.protobuf", "text/plain", "application/x-www-form-urlencoded"]
)
def test_unknown_body_type_names_the_known(header: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="application/json, application/yaml"):
        body_type(header)


@pytest.mark.parametrize(
    "header", ["application/strategic-merge-patch+json", "application/apply-patch+yaml", "application/json", ""]
)
def test_unknown_patch_type_names_the_known(header: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=r"json-patch\+json, application/merge-patch\+json"):
        patch_type(header)


def test_patch_types() -> None:
    assert patch_type("application/merge-patch+json; charset=utf-8") == "application/merge-patch+json"
