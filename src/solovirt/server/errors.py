"""Errors that only HTTP has, and the answers that errors become. Knows nothing of objects or VMs."""

from __future__ import annotations

import logging
from typing import TypeVar

from starlette.responses import PlainTextResponse, Response

from solovirt.api import status
from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.kit import json
from solovirt.kit.errors import SolovirtError

T = TypeVar("T", bound=KubeObject)

log = logging.getLogger(__name__)


class MethodNotAllowed(SolovirtError):
    code = 405
    default_reason = "MethodNotAllowed"


class NotAcceptable(SolovirtError):
    code = 406
    default_reason = "NotAcceptable"


class RequestTooLarge(SolovirtError):
    code = 413
    default_reason = "RequestEntityTooLarge"


def method_not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource")


def page_not_found() -> Response:
    """What a path outside of the API gets: text, so that clients tell it from a missing object."""
    return PlainTextResponse("404 page not found\n", status_code=404)


def failure_response(error: SolovirtError, resource: Resource[T] | None = None, name: str = "") -> Response:
    """A metav1 Status with the error's code."""
    body = status.failure(error, resource=resource, name=name)
    headers = {"Retry-After": "1"} if error.code in (503, 504) else None
    return Response(json.encode(body), status_code=error.code, headers=headers, media_type="application/json")


def unexpected(error: Exception, method: str, path: str) -> SolovirtError:
    """Log a defect with its traceback and hide its text from the client behind a plain InternalError."""
    log.error("%s %s failed", method, path, exc_info=error)
    return SolovirtError(f"Internal error occurred: {type(error).__name__}; the daemon's log has the traceback")
