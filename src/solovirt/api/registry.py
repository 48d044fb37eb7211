"""All kinds. Adding one: a module with its ``RESOURCE``, and a line here."""

from __future__ import annotations

from typing import TypeVar, cast

from solovirt.api.apps.controllerrevision import RESOURCE as CONTROLLER_REVISIONS
from solovirt.api.cdi.datavolume import RESOURCE as DATA_VOLUMES
from solovirt.api.core.configmap import RESOURCE as CONFIG_MAPS
from solovirt.api.core.event import RESOURCE as EVENTS
from solovirt.api.core.namespace import RESOURCE as NAMESPACES
from solovirt.api.core.persistentvolumeclaim import RESOURCE as PERSISTENT_VOLUME_CLAIMS
from solovirt.api.core.secret import RESOURCE as SECRETS
from solovirt.api.instancetype.kinds import (
    CLUSTER_INSTANCETYPES,
    CLUSTER_PREFERENCES,
    INSTANCETYPES,
    PREFERENCES,
)
from solovirt.api.kubevirt.preset_resource import RESOURCE as PRESETS
from solovirt.api.kubevirt.replicaset_resource import RESOURCE as REPLICA_SETS
from solovirt.api.kubevirt.virtualmachine_resource import RESOURCE as VIRTUAL_MACHINES
from solovirt.api.kubevirt.virtualmachineinstance_resource import RESOURCE as VIRTUAL_MACHINE_INSTANCES
from solovirt.api.meta import KubeObject
from solovirt.api.pool.virtualmachinepool_resource import RESOURCE as POOLS
from solovirt.api.resource import Resource

__all__ = (
    "ALL",
    "CLUSTER_INSTANCETYPES",
    "CLUSTER_PREFERENCES",
    "CONFIG_MAPS",
    "CONTROLLER_REVISIONS",
    "DATA_VOLUMES",
    "EVENTS",
    "INSTANCETYPES",
    "NAMESPACES",
    "PERSISTENT_VOLUME_CLAIMS",
    "POOLS",
    "PREFERENCES",
    "PRESETS",
    "REPLICA_SETS",
    "SECRETS",
    "SERVED",
    "VIRTUAL_MACHINES",
    "VIRTUAL_MACHINE_INSTANCES",
    "AnyResource",
    "by_kind",
    "by_name",
    "find",
)

T = TypeVar("T", bound=KubeObject)
AnyResource = Resource[KubeObject]


def _any(resource: Resource[T]) -> AnyResource:
    """A kind seen without its struct: every object of it is a ``KubeObject``."""
    return cast(AnyResource, resource)


ALL: tuple[AnyResource, ...] = (
    _any(VIRTUAL_MACHINES),
    _any(VIRTUAL_MACHINE_INSTANCES),
    _any(DATA_VOLUMES),
    _any(PERSISTENT_VOLUME_CLAIMS),
    _any(SECRETS),
    _any(CONFIG_MAPS),
    _any(EVENTS),
    _any(NAMESPACES),
    _any(REPLICA_SETS),
    _any(POOLS),
    _any(INSTANCETYPES),
    _any(CLUSTER_INSTANCETYPES),
    _any(PREFERENCES),
    _any(CLUSTER_PREFERENCES),
    _any(PRESETS),
    _any(CONTROLLER_REVISIONS),
)
"""Every kind once, in the version that the store keeps."""

SERVED: tuple[AnyResource, ...] = (
    *ALL,
    *(resource.at(version) for resource in ALL for version in resource.other_versions),
)
"""Every kind in every version that clients may use, the preferred ones first."""

_by_plural = {(resource.group, resource.version, resource.plural): resource for resource in SERVED}
_by_kind = {(resource.api_version, resource.kind): resource for resource in SERVED}


def _names(resource: AnyResource) -> tuple[str, ...]:
    """``vm``, ``virtualmachine``, ``virtualmachines``, and these with their group (and version)."""
    versioned = f"{resource.plural}.{resource.version}.{resource.group}"
    if resource.stored_version:
        return (versioned,)
    return (
        *resource.short_names,
        resource.singular,
        resource.plural,
        resource.key,
        resource.singular_key,
        versioned.rstrip("."),
    )


_by_name = {name: resource for resource in SERVED for name in _names(resource)}


def find(group: str, version: str, plural: str) -> AnyResource | None:
    """The kind behind an API path; ``group`` is "" for the core group."""
    return _by_plural.get((group, version, plural))


def by_kind(api_version: str, kind: str) -> AnyResource | None:
    """The kind of a manifest: ``by_kind("kubevirt.io/v1", "VirtualMachine")``."""
    return _by_kind.get((api_version, kind))


def by_name(name: str) -> AnyResource | None:
    """The kind that a person means; case does not count."""
    return _by_name.get(name.lower())
