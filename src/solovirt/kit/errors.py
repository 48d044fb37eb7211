"""The one exception tree of solovirt.

Every error carries what a Kubernetes ``Status`` needs (reason, message, HTTP code, field causes) and what a person
needs (a hint: what to do next). Layers raise these; only the HTTP server turns them into ``Status`` objects and only
the CLI prints them.

    SolovirtError                 500 InternalError
    ├── BadRequest                400 BadRequest      the request itself is malformed
    ├── Forbidden                 403 Forbidden
    ├── NotFound                  404 NotFound
    ├── AlreadyExists             409 AlreadyExists
    ├── Conflict                  409 Conflict        stale write, or the object is in the wrong state
    ├── Expired                   410 Expired         watch or continue token too old
    ├── UnsupportedMediaType      415 UnsupportedMediaType
    ├── Invalid                   422 Invalid         fields are wrong; carries one Cause per field
    ├── Unavailable               503 ServiceUnavailable
    ├── TimedOut                  504 Timeout
    ├── HostError                 500 <own reason>    this host cannot do it: missing tool, full disk, no permission
    └── GuestError                500 <own reason>    QEMU or the guest agent refused or failed
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple


class Cause(NamedTuple):
    """One wrong field: a CamelCase ``reason``, a sentence, and the field path (``spec.template.spec...``)."""

    reason: str
    message: str
    field: str = ""


class SolovirtError(Exception):
    """Root of all errors that solovirt raises on purpose."""

    code: ClassVar[int] = 500
    default_reason: ClassVar[str] = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        field: str = "",
        hint: str = "",
        causes: Iterable[Cause] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.field = field
        self.hint = hint
        self.causes = tuple(causes)

    def __str__(self) -> str:
        place = f"{self.field}: " if self.field and not self.message.startswith(self.field) else ""
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")


class BadRequest(SolovirtError):
    code = 400
    default_reason = "BadRequest"


class Forbidden(SolovirtError):
    code = 403
    default_reason = "Forbidden"


class NotFound(SolovirtError):
    code = 404
    default_reason = "NotFound"


class AlreadyExists(SolovirtError):
    code = 409
    default_reason = "AlreadyExists"


class Conflict(SolovirtError):
    code = 409
    default_reason = "Conflict"


class Expired(SolovirtError):
    code = 410
    default_reason = "Expired"


class UnsupportedMediaType(SolovirtError):
    code = 415
    default_reason = "UnsupportedMediaType"


class Invalid(SolovirtError):
    """Wrong fields, all of them at once: ``causes`` has one entry for each."""

    code = 422
    default_reason = "Invalid"


class Unavailable(SolovirtError):
    code = 503
    default_reason = "ServiceUnavailable"


class TimedOut(SolovirtError):
    code = 504
    default_reason = "Timeout"


class HostError(SolovirtError):
    """This host cannot do it. ``hint`` names the command or the package that would help."""

    default_reason = "HostError"


class GuestError(SolovirtError):
    """QEMU or the guest agent refused, failed or did not answer."""

    default_reason = "GuestError"
