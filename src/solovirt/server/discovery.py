"""Which groups, versions and resources there are, in the classic and the aggregated form.

Everything is worked out once from the registry and the tables of subresources; real verbs only.
Source: Kubernetes API concepts, "API discovery"; apidiscovery.k8s.io/v2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from solovirt.api import registry
from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.kit import json
from solovirt.kit.json import Json, JsonObject
from solovirt.server import actions, extensions, negotiation, scale, subresources
from solovirt.server.errors import page_not_found
from solovirt.server.negotiation import DISCOVERY_TYPE, JSON

_STATUS_VERBS = ("get", "patch", "update")
_METHOD_VERBS: Mapping[str, str] = {"GET": "get", "PUT": "update", "POST": "create", "DELETE": "delete"}
_KINDS: Mapping[str, str] = {
    actions.VMS: "VirtualMachine",
    actions.VMIS: "VirtualMachineInstance",
    extensions.IMAGES: "Image",
}


class Subresource(NamedTuple):
    """``group`` and ``version`` are those of the kind it speaks, empty when that is of the resource's own."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


class Entry(NamedTuple):
    """One resource of a group version. ``verbs`` is empty for one that only carries subresources."""

    plural: str
    singular: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]
    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    subresources: tuple[Subresource, ...]


class GroupVersion(NamedTuple):
    group: str
    version: str
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def group_versions() -> list[GroupVersion]:
    """In the order in which clients resolve ambiguous names: the registry's first, then the subresource groups."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for resource in registry.SERVED:
        found.setdefault((resource.group, resource.version), []).append(_entry(resource))
    made = [GroupVersion(group, version, tuple(entries)) for (group, version), entries in found.items()]
    kubevirt = _actions(subresources.ACTIONS)
    made += [GroupVersion(subresources.GROUP, version, kubevirt) for version in subresources.VERSIONS]
    images = Entry(
        extensions.IMAGES, "image", _KINDS[extensions.IMAGES], False, ("create", "delete", "list"), (), (), ()
    )
    made.append(GroupVersion(extensions.GROUP, extensions.VERSION, (*_actions(extensions.ACTIONS), images)))
    return made


def _entry(resource: Resource[KubeObject]) -> Entry:
    below: list[Subresource] = []
    if resource.has_status:
        below.append(Subresource("status", resource.kind, _STATUS_VERBS))
    if resource.scale is not None:
        below.append(Subresource("scale", scale.KIND, scale.VERBS, scale.GROUP, scale.VERSION))
    return Entry(
        resource.plural,
        resource.singular,
        resource.kind,
        resource.namespaced,
        tuple(sorted(resource.verbs)),
        resource.short_names,
        resource.categories,
        tuple(below),
    )


def _actions(actions: Mapping[tuple[str, ...], Mapping[str, object]]) -> tuple[Entry, ...]:
    by_plural: dict[str, list[Subresource]] = {}
    for (plural, *rest), methods in actions.items():
        verbs = tuple(sorted(_METHOD_VERBS[method] for method in methods))
        by_plural.setdefault(plural, []).append(Subresource("/".join(rest), _KINDS[plural], verbs))
    return tuple(
        Entry(plural, _KINDS[plural].lower(), _KINDS[plural], True, (), (), (), tuple(sorted(found)))
        for plural, found in sorted(by_plural.items())
    )


class Discovery:
    """The answers, encoded once."""

    def __init__(self) -> None:
        versions = group_versions()
        groups = [name for name in dict.fromkeys(version.group for version in versions) if name]
        by_group = {name: [v for v in versions if v.group == name] for name in groups}
        self._core = json.encode(
            {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
        )
        self._groups = {name: json.encode(_group(name, found, whole=True)) for name, found in by_group.items()}
        listed = [_group(name, found, whole=False) for name, found in by_group.items()]
        self._group_list = json.encode({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
        self._resources = {version.name: json.encode(_resource_list(version)) for version in versions}
        self._aggregated_core = _Aggregated({"": [v for v in versions if not v.group]})
        self._aggregated = _Aggregated(by_group)

    async def core(self, request: Request) -> Response:
        """``/api``"""
        return _negotiated(request, self._core, self._aggregated_core)

    async def groups(self, request: Request) -> Response:
        """``/apis``"""
        return _negotiated(request, self._group_list, self._aggregated)

    async def group(self, request: Request) -> Response:
        """``/apis/GROUP``"""
        return _found(request, self._groups.get(str(request.path_params["group"])))

    async def resources(self, request: Request) -> Response:
        """``/api/v1`` and ``/apis/GROUP/VERSION``"""
        group, version = request.path_params.get("group", ""), request.path_params["version"]
        return _found(request, self._resources.get(f"{group}/{version}" if group else str(version)))


class _Aggregated:
    """An APIGroupDiscoveryList with its ETag."""

    def __init__(self, by_group: Mapping[str, list[GroupVersion]]) -> None:
        items: list[Json] = [_discovered(name, found) for name, found in by_group.items()]
        self.body = json.encode(
            {
                "kind": "APIGroupDiscoveryList",
                "apiVersion": "apidiscovery.k8s.io/v2",
                "metadata": {},
                "items": items,
            }
        )
        self.etag = '"' + hashlib.sha256(self.body).hexdigest().upper() + '"'


def _negotiated(request: Request, classic: bytes, aggregated: _Aggregated) -> Response:
    accept = request.headers.get("accept", "")
    if not negotiation.accepts_aggregated_discovery(accept):
        response = _found(request, classic)
        response.headers["Vary"] = "Accept"
        return response
    headers = {"ETag": aggregated.etag, "Vary": "Accept", "Cache-Control": "public"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if aggregated.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(aggregated.body, headers=headers, media_type=DISCOVERY_TYPE)


def _found(request: Request, body: bytes | None) -> Response:
    if body is None:
        return page_not_found()
    negotiation.accepted(request.headers.get("accept", ""), yaml=False)
    return Response(body, media_type=JSON)


def _group(name: str, versions: Iterable[GroupVersion], *, whole: bool) -> JsonObject:
    listed: list[Json] = [{"groupVersion": version.name, "version": version.version} for version in versions]
    head: JsonObject = {"kind": "APIGroup", "apiVersion": "v1"} if whole else {}
    return {**head, "name": name, "versions": listed, "preferredVersion": listed[0]}


def _resource_list(version: GroupVersion) -> JsonObject:
    resources: list[Json] = []
    for entry in version.entries:
        if entry.verbs:
            resources.append(_resource(entry))
        for subresource in entry.subresources:
            foreign: JsonObject = {"group": subresource.group, "version": subresource.version}
            resources.append(
                {
                    "name": f"{entry.plural}/{subresource.name}",
                    "singularName": "",
                    "namespaced": entry.namespaced,
                    **(foreign if subresource.group else {}),
                    "kind": subresource.kind,
                    "verbs": list(subresource.verbs),
                }
            )
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version.name, "resources": resources}


def _resource(entry: Entry) -> JsonObject:
    made: JsonObject = {
        "name": entry.plural,
        "singularName": entry.singular,
        "namespaced": entry.namespaced,
        "kind": entry.kind,
        "verbs": list(entry.verbs),
    }
    if entry.short_names:
        made["shortNames"] = list(entry.short_names)
    if entry.categories:
        made["categories"] = list(entry.categories)
    return made


def _discovered(name: str, versions: Iterable[GroupVersion]) -> JsonObject:
    listed: list[Json] = [
        {
            "version": version.version,
            "freshness": "Current",
            "resources": [_discovered_resource(version, entry) for entry in version.entries],
        }
        for version in versions
    ]
    return {"metadata": {"name": name} if name else {}, "versions": listed}


def _discovered_resource(version: GroupVersion, entry: Entry) -> JsonObject:
    made: JsonObject = {
        "resource": entry.plural,
        "scope": "Namespaced" if entry.namespaced else "Cluster",
        "singularResource": entry.singular,
        "verbs": list(entry.verbs),
    }
    # Without a kind, clients drop the entry itself and keep its subresources: what a carrier of subresources is for.
    if entry.verbs:
        made["responseKind"] = _kind(version, entry.kind)
    if entry.short_names:
        made["shortNames"] = list(entry.short_names)
    if entry.categories:
        made["categories"] = list(entry.categories)
    if entry.subresources:
        made["subresources"] = [
            {"subresource": sub.name, "responseKind": _response_kind(version, sub), "verbs": list(sub.verbs)}
            for sub in entry.subresources
        ]
    return made


def _response_kind(version: GroupVersion, sub: Subresource) -> JsonObject:
    if sub.group:
        return {"group": sub.group, "version": sub.version, "kind": sub.kind}
    return _kind(version, sub.kind)


def _kind(version: GroupVersion, kind: str) -> JsonObject:
    return {"group": version.group, "version": version.version, "kind": kind}
