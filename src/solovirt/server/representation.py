"""Objects in the shape that the client asked for: whole, as a Table, or as metadata only; JSON or YAML.

Source: Kubernetes API concepts, meta.k8s.io/v1 Table and PartialObjectMetadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from starlette.responses import Response

from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.api.table import table
from solovirt.kit import json, yaml
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import JsonObject
from solovirt.server.call import Call
from solovirt.server.negotiation import JSON, YAML, Representation

IncludeObject = Literal["None", "Metadata", "Object"]


def include_object(call: Call) -> IncludeObject:
    """How much of each object stands in a Table's rows. Raises BadRequest."""
    match call.request.query_params.get("includeObject", ""):
        case "" | "Metadata":
            return "Metadata"
        case "None":
            return "None"
        case "Object":
            return "Object"
        case other:
            raise BadRequest(f"unsupported includeObject value: {other}", field="includeObject")


def body(call: Call, obj: KubeObject, shape: Representation) -> object:
    """One object as something that ``kit.json.encode`` takes."""
    stamp(call.resource, obj)
    match shape.shape:
        case "Table":
            return as_table(call, [obj], shape, resource_version=obj.metadata.resource_version)
        case "PartialObjectMetadata":
            return partial(obj, shape.version)
        case _:
            return obj


def list_body(
    call: Call, objects: Sequence[KubeObject], shape: Representation, revision: int, token: str, remaining: int | None
) -> object:
    """A list of objects: the kind's List, a Table, or a PartialObjectMetadataList."""
    if shape.shape == "Table":
        return as_table(call, objects, shape, resource_version=str(revision), token=token, remaining=remaining)
    metadata: JsonObject = {"resourceVersion": str(revision)}
    if token:
        metadata["continue"] = token
    if remaining is not None:
        metadata["remainingItemCount"] = remaining
    items: list[object]
    if shape.shape == "PartialObjectMetadata":
        kind, api_version = "PartialObjectMetadataList", f"meta.k8s.io/{shape.version}"
        items = [partial(obj, shape.version) for obj in objects]
    else:
        kind, api_version = f"{call.resource.kind}List", call.resource.api_version
        items = [stamp(call.resource, obj) for obj in objects]
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items}


def as_table(
    call: Call,
    objects: Sequence[KubeObject],
    shape: Representation,
    *,
    resource_version: str,
    token: str = "",
    remaining: int | None = None,
) -> JsonObject:
    for obj in objects:
        stamp(call.resource, obj)
    made = table(
        call.resource,
        objects,
        resource_version=resource_version,
        now=datetime.now(UTC),
        include_object=include_object(call),
        continue_token=token,
        remaining=remaining,
    )
    made["apiVersion"] = f"meta.k8s.io/{shape.version}"
    return made


def partial(obj: KubeObject, version: str) -> JsonObject:
    """The metadata alone, as a PartialObjectMetadata of ``meta.k8s.io/<version>``."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": json.to_json(obj.metadata),
    }


def stamp(resource: Resource[KubeObject], obj: KubeObject) -> KubeObject:
    """The kind and version are the URL's, whatever an old record says."""
    obj.api_version, obj.kind = resource.api_version, resource.kind
    return obj


def respond(value: object, shape: Representation, *, code: int = 200, warnings: Sequence[str] = ()) -> Response:
    """An answer in JSON or YAML, with one Warning header for each warning."""
    if shape.media_type == YAML:
        response = Response(yaml.dump(json.to_json(value)), status_code=code, media_type=YAML)
    else:
        response = Response(json.encode(value), status_code=code, media_type=JSON)
    for text in warnings:
        response.raw_headers.append((b"warning", warning_header(text)))
    return response


def warning_header(text: str) -> bytes:
    """``299 - "text"`` in UTF-8 without control characters (RFC 7234 section 5.5)."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'.encode()
