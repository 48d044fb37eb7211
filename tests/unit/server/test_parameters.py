import pytest
from starlette.requests import Request

from solovirt.kit.errors import BadRequest, Invalid
from solovirt.server import parameters


def request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


@pytest.mark.parametrize("text", ["watch=1", "watch=true", "watch=True", "watch=TRUE", "watch="])
def test_true(text: str) -> None:
    assert parameters.flag(request(text), "watch")


@pytest.mark.parametrize("text", ["", "watch=0", "watch=false", "watch=False"])
def test_false(text: str) -> None:
    assert not parameters.flag(request(text), "watch")


def test_numbers() -> None:
    assert parameters.integer(request("limit=5"), "limit") == 5
    assert parameters.integer(request("limit="), "limit") is None
    assert parameters.integer(request(""), "limit") is None


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "1" * 30, "٣"])
def test_bad_numbers(text: str) -> None:
    with pytest.raises(BadRequest, match="limit"):
        parameters.integer(request(f"limit={text}"), "limit")
    with pytest.raises(BadRequest, match="resourceVersion"):
        parameters.resource_version(request(f"resourceVersion={text}"))


def test_dry_run() -> None:
    assert parameters.dry_run(request("dryRun=All"), "CreateOptions")
    assert not parameters.dry_run(request("dryRun="), "CreateOptions")
    with pytest.raises(Invalid, match=r'CreateOptions\.meta\.k8s\.io "" is invalid: dryRun: Unsupported value: "Some"'):
        parameters.dry_run(request("dryRun=All&dryRun=Some"), "CreateOptions")


def test_field_validation() -> None:
    assert parameters.field_validation(request(""), "CreateOptions") == "Warn"
    assert parameters.field_validation(request("fieldValidation=Strict"), "CreateOptions") == "Strict"
    assert parameters.field_validation(request("fieldValidation=Ignore"), "CreateOptions") == "Ignore"
    with pytest.raises(Invalid) as caught:
        parameters.field_validation(request("fieldValidation=strict"), "CreateOptions")
    assert caught.value.causes[0].field == "fieldValidation"
