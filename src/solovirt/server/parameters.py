"""Query parameters, read as Kubernetes reads them. Unknown ones are ignored."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request

from solovirt.kit.errors import BadRequest, Cause, Invalid

FieldValidation = Literal["Strict", "Warn", "Ignore"]


def flag(request: Request, name: str) -> bool:
    """A boolean: absent, ``0`` and ``false`` are false, all else is true (k8s.io/apimachinery conversion)."""
    value = request.query_params.get(name)
    return value is not None and value.lower() not in ("0", "false")


def integer(request: Request, name: str) -> int | None:
    """A number that is not negative, or None when absent. Raises BadRequest."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f"{name}: Invalid value: {text!r}: must be a non-negative integer", field=name)
    return int(text)


def resource_version(request: Request) -> int | None:
    """None when absent. Raises BadRequest for text that is not one of our versions."""
    text = request.query_params.get("resourceVersion", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(f'resourceVersion: Invalid value: "{text}": must be a number', field="resourceVersion")
    return int(text)


def dry_run(request: Request, options: str) -> bool:
    """``dryRun=All``. ``options`` names the options kind for the message. Raises Invalid for other values."""
    return is_dry_run(request.query_params.getlist("dryRun"), options)


def is_dry_run(values: list[str], options: str) -> bool:
    values = [value for value in values if value]
    for value in values:
        if value != "All":
            raise unsupported(options, "dryRun", value, ("All",))
    return bool(values)


def field_validation(request: Request, options: str) -> FieldValidation:
    """Strict, Warn or Ignore; Warn when absent. Raises Invalid."""
    match request.query_params.get("fieldValidation", ""):
        case "" | "Warn":
            return "Warn"
        case "Strict":
            return "Strict"
        case "Ignore":
            return "Ignore"
        case other:
            raise unsupported(options, "fieldValidation", other, ("Ignore", "Strict", "Warn"))


def unsupported(options: str, field: str, value: str, supported: tuple[str, ...]) -> Invalid:
    listed = ", ".join(f'"{word}"' for word in supported)
    message = f'Unsupported value: "{value}": supported values: {listed}'
    return invalid_options(options, [Cause("FieldValueNotSupported", message, field)])


def invalid_options(options: str, causes: list[Cause]) -> Invalid:
    """Wrong query options; ``options`` is their kind ("ListOptions")."""
    listed = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
    text = listed if len(causes) == 1 else f"[{listed}]"
    return Invalid(f'{options}.meta.k8s.io "" is invalid: {text}', causes=causes)
