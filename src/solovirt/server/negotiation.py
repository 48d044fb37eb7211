"""What a client accepts, and what its body is written in. Knows headers only.

Source: Kubernetes API concepts, "Alternate representations of resources" and "Receiving resources as Tables".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from solovirt.kit.errors import UnsupportedMediaType
from solovirt.server.errors import NotAcceptable

JSON = "application/json"
YAML = "application/yaml"
BODY_TYPES = (JSON, YAML)
PATCH_TYPES = ("application/json-patch+json", "application/merge-patch+json")
DISCOVERY_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

Shape = Literal["", "Table", "PartialObjectMetadata"]

_SHAPES: dict[str, Shape] = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadata",
}


@dataclass(frozen=True, slots=True)
class Representation:
    """``media_type`` is JSON or YAML; ``shape`` "" is the whole object; ``version`` is the meta.k8s.io version."""

    media_type: str = JSON
    shape: Shape = ""
    version: str = "v1"


@dataclass(frozen=True, slots=True)
class _Clause:
    media_type: str
    parameters: dict[str, str]
    quality: float


def accepted(header: str, *, yaml: bool = True) -> Representation:
    """The first representation of an Accept header that we have. Raises NotAcceptable."""
    if not header.strip():
        return Representation()
    for clause in _clauses(header):
        found = _match(clause, yaml)
        if found is not None:
            return found
    kinds = (*BODY_TYPES,) if yaml else (JSON,)
    raise NotAcceptable(f"only the following media types are accepted: {', '.join(kinds)}")


def accepts_aggregated_discovery(header: str) -> bool:
    """True when the best acceptable clause is apidiscovery.k8s.io/v2; older versions get classic discovery."""
    for clause in _clauses(header):
        if clause.parameters.get("g") == "apidiscovery.k8s.io":
            if clause.media_type == JSON and clause.parameters.get("v") == "v2":
                return clause.parameters.get("as") == "APIGroupDiscoveryList"
            continue
        if _match(clause, yaml=False) is not None:
            return False
    return False


def body_type(header: str) -> str:
    """JSON or YAML; a missing Content-Type is JSON. Raises UnsupportedMediaType."""
    media_type = essence(header) or JSON
    if media_type in ("application/yaml", "application/x-yaml", "text/yaml"):
        return YAML
    if media_type != JSON:
        raise UnsupportedMediaType(_unknown_format(BODY_TYPES))
    return JSON


def patch_type(header: str) -> str:
    """One of PATCH_TYPES. Raises UnsupportedMediaType naming them."""
    media_type = essence(header)
    if media_type not in PATCH_TYPES:
        raise UnsupportedMediaType(_unknown_format(PATCH_TYPES))
    return media_type


def essence(header: str) -> str:
    """The media type without its parameters, in lower case."""
    return header.partition(";")[0].strip().lower()


def _unknown_format(kinds: tuple[str, ...]) -> str:
    return f"the body of the request was in an unknown format - accepted media types include: {', '.join(kinds)}"


def _match(clause: _Clause, yaml: bool) -> Representation | None:
    if clause.media_type in (JSON, "*/*", "application/*"):
        media_type = JSON
    elif clause.media_type == YAML and yaml:
        media_type = YAML
    else:
        return None
    wanted = clause.parameters.get("as", "")
    if not wanted:
        return None if "g" in clause.parameters else Representation(media_type)
    shape = _SHAPES.get(wanted)
    version = clause.parameters.get("v", "")
    if shape is None or clause.parameters.get("g") != "meta.k8s.io" or version not in ("v1", "v1beta1"):
        return None
    return Representation(media_type, shape, version)


def _clauses(header: str) -> list[_Clause]:
    found = []
    for text in header.split(","):
        media_type, *fields = (part.strip() for part in text.split(";"))
        if not media_type:
            continue
        parameters = {k.strip(): v.strip() for k, _, v in (f.partition("=") for f in fields)}
        quality = _quality(parameters.pop("q", "1"))
        if quality > 0:
            found.append(_Clause(media_type.lower(), parameters, quality))
    # Sorting is stable: equal qualities keep the client's order, as Kubernetes does.
    return sorted(found, key=lambda clause: -clause.quality)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
