"""One API request with all that its handler needs. Parses nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from solovirt.api.meta import KubeObject
from solovirt.api.resource import Resource
from solovirt.server.continuation import Snapshots
from solovirt.server.interfaces import Images, Operations
from solovirt.server.lifetime import Lifetime
from solovirt.server.requestinfo import RequestInfo
from solovirt.store.objects import Objects


@dataclass(slots=True)
class Services:
    """What lives as long as the daemon."""

    objects: Objects
    operations: Operations
    images: Images
    lifetime: Lifetime = field(default_factory=Lifetime)
    snapshots: Snapshots = field(default_factory=Snapshots)


@dataclass(frozen=True, slots=True)
class Call:
    """A request for one resource; ``namespace`` is None for all namespaces and "" for cluster-scoped kinds."""

    request: Request
    services: Services
    info: RequestInfo
    resource: Resource[KubeObject]

    @property
    def objects(self) -> Objects:
        return self.services.objects

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def namespace(self) -> str | None:
        return self.info.namespace or None if self.resource.namespaced else ""

    @property
    def home(self) -> str:
        """The namespace of a named object."""
        return self.info.namespace if self.resource.namespaced else ""

    @property
    def accept(self) -> str:
        return self.request.headers.get("accept", "")
