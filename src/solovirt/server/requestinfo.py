"""Which resource a URL path means. Pure text: whether the resource exists is for others to say.

Source: Kubernetes' RequestInfo (apiserver/pkg/endpoints/request/requestinfo.go).
"""

from __future__ import annotations

from typing import NamedTuple


class RequestInfo(NamedTuple):
    """``/apis/GROUP/VERSION/[watch/]namespaces/NS/PLURAL/NAME/SUB...``; what the path leaves out is empty."""

    group: str
    version: str
    namespace: str
    plural: str
    name: str
    subresource: tuple[str, ...]
    watch: bool


# Subresources of the namespace itself; any other third segment is a resource inside the namespace.
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


def parse(path: str) -> RequestInfo | None:
    """None when the path is not below a group version or has empty segments in its middle."""
    parts = path.strip("/").split("/")
    if "" in parts:
        return None
    match parts:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    watch = bool(rest) and rest[0] == "watch"
    if watch:
        rest = rest[1:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in _NAMESPACE_SUBRESOURCES:
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return None
    plural, name, subresource = rest[0], rest[1] if len(rest) > 1 else "", tuple(rest[2:])
    return RequestInfo(group, version, namespace, plural, name, subresource, watch)
