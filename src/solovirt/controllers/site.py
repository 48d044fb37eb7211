"""What every reconciler works with: the objects, this host, the machines. Made once by the manager."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from solovirt.controllers.events import Recorder
from solovirt.host.images.store import ImageStore
from solovirt.host.model.facts import HostFacts
from solovirt.host.volumes.claims import Claims
from solovirt.host.volumes.imports import Importer
from solovirt.host.volumes.prepare import Volumes
from solovirt.hypervisor.supervisor import Hypervisor
from solovirt.kit import timestamps
from solovirt.kit.paths import Paths
from solovirt.store.objects import Objects

Key = tuple[str, str]
"""Namespace and name."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Site:
    paths: Paths
    objects: Objects
    facts: HostFacts
    events: Recorder
    hypervisor: Hypervisor
    images: ImageStore
    claims: Claims
    importer: Importer
    volumes: Volumes
    clock: Callable[[], datetime] = utc_now

    def now(self) -> str:
        """RFC 3339."""
        return timestamps.render(self.clock())
