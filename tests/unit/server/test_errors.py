import json
import logging

import pytest

from solovirt.api import registry
from solovirt.kit.errors import Cause, Invalid, NotFound, Unavailable
from solovirt.server import errors


def test_failure_is_a_status() -> None:
    response = errors.failure_response(NotFound("gone"), registry.VIRTUAL_MACHINES, "web")
    body = json.loads(bytes(response.body))
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert body["kind"] == "Status" and body["reason"] == "NotFound" and body["code"] == 404
    assert body["details"] == {"name": "web", "group": "kubevirt.io", "kind": "virtualmachines"}


def test_causes_are_kept() -> None:
    response = errors.failure_response(Invalid("bad", causes=[Cause("FieldValueInvalid", "no", "spec.x")]))
    assert json.loads(bytes(response.body))["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": "no", "field": "spec.x"}
    ]


def test_try_again_later() -> None:
    assert errors.failure_response(Unavailable("later")).headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("error", "code"),
    [(errors.MethodNotAllowed, 405), (errors.NotAcceptable, 406), (errors.RequestTooLarge, 413)],
)
def test_codes_of_http(error: type[errors.MethodNotAllowed], code: int) -> None:
    assert errors.failure_response(error("x")).status_code == code


def test_page_not_found_is_text() -> None:
    response = errors.page_not_found()
    assert (response.status_code, bytes(response.body)) == (404, b"404 page not found\n")


def test_a_defect_is_logged_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        error = errors.unexpected(ValueError("the secret"), "GET", "/x")
    assert "the secret" in caplog.text and "GET /x" in caplog.text
    assert "the secret" not in error.message and error.code == 500 and error.reason == "InternalError"
