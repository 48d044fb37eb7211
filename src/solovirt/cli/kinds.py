"""The kinds that the CLI knows by heart, so that ``get vm`` is one round trip; others are looked up by discovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from solovirt.cli.client import Client
from solovirt.kit.errors import NotFound
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str

Accept = Callable[[JsonObject], bool]


class Kind(NamedTuple):
    """One resource of the API. ``group`` is "" for the core group."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    short: tuple[str, ...] = ()
    namespaced: bool = True

    @property
    def qualified(self) -> str:
        """``virtualmachine.kubevirt.io``: how kubectl names an object before its slash."""
        return f"{self.singular}.{self.group}" if self.group else self.singular

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


VM = Kind("kubevirt.io", "v1", "virtualmachines", "virtualmachine", "VirtualMachine", ("vm", "vms"))
VMI = Kind(
    "kubevirt.io", "v1", "virtualmachineinstances", "virtualmachineinstance", "VirtualMachineInstance", ("vmi", "vmis")
)
REPLICA_SET = Kind(
    "kubevirt.io",
    "v1",
    "virtualmachineinstancereplicasets",
    "virtualmachineinstancereplicaset",
    "VirtualMachineInstanceReplicaSet",
    ("vmirs", "vmirss"),
)
POOL = Kind(
    "pool.kubevirt.io",
    "v1beta1",
    "virtualmachinepools",
    "virtualmachinepool",
    "VirtualMachinePool",
    ("vmpool", "vmpools"),
)
_TYPES = "instancetype.kubevirt.io"
INSTANCETYPE = Kind(
    _TYPES,
    "v1beta1",
    "virtualmachineinstancetypes",
    "virtualmachineinstancetype",
    "VirtualMachineInstancetype",
    ("vminstancetype", "vminstancetypes", "vmf", "vmfs"),
)
CLUSTER_INSTANCETYPE = Kind(
    _TYPES,
    "v1beta1",
    "virtualmachineclusterinstancetypes",
    "virtualmachineclusterinstancetype",
    "VirtualMachineClusterInstancetype",
    ("vmclusterinstancetype", "vmclusterinstancetypes", "vmcf", "vmcfs"),
    namespaced=False,
)
PREFERENCE = Kind(
    _TYPES,
    "v1beta1",
    "virtualmachinepreferences",
    "virtualmachinepreference",
    "VirtualMachinePreference",
    ("vmpref", "vmprefs", "vmp", "vmps"),
)
CLUSTER_PREFERENCE = Kind(
    _TYPES,
    "v1beta1",
    "virtualmachineclusterpreferences",
    "virtualmachineclusterpreference",
    "VirtualMachineClusterPreference",
    ("vmcp", "vmcps"),
    namespaced=False,
)
PRESET = Kind(
    "kubevirt.io",
    "v1",
    "virtualmachineinstancepresets",
    "virtualmachineinstancepreset",
    "VirtualMachineInstancePreset",
    ("vmipreset", "vmipresets"),
)
REVISION = Kind("apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision")
NAMESPACE = Kind("", "v1", "namespaces", "namespace", "Namespace", ("ns",), namespaced=False)
EVENT = Kind("", "v1", "events", "event", "Event", ("ev",))
CLAIM = Kind("", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim", ("pvc",))
DATA_VOLUME = Kind("cdi.kubevirt.io", "v1beta1", "datavolumes", "datavolume", "DataVolume", ("dv", "dvs"))
KNOWN: tuple[Kind, ...] = (
    VM,
    VMI,
    CLAIM,
    DATA_VOLUME,
    Kind("", "v1", "secrets", "secret", "Secret"),
    Kind("", "v1", "configmaps", "configmap", "ConfigMap", ("cm",)),
    EVENT,
    NAMESPACE,
    REPLICA_SET,
    POOL,
    INSTANCETYPE,
    CLUSTER_INSTANCETYPE,
    PREFERENCE,
    CLUSTER_PREFERENCE,
    PRESET,
    REVISION,
)
CATEGORY_ALL = (VM, VMI, DATA_VOLUME, REPLICA_SET, POOL, INSTANCETYPE, PREFERENCE, PRESET)


def lookup(client: Client, word: str) -> Kind:
    """The kind that a user's word means. Raises NotFound, as kubectl does, with the nearest word we know."""
    wanted = word.lower()
    for kind in KNOWN:
        if wanted in (kind.plural, kind.singular, *kind.short, f"{kind.plural}.{kind.group}", kind.qualified):
            return kind
    if found := _discover(client, lambda r: wanted in _names(r)):
        return found
    from solovirt.kit.names import nearest

    near = nearest(wanted, [name for kind in KNOWN for name in (kind.plural, kind.singular, *kind.short)])
    hint = f"did you mean {near!r}?" if near else "`solovirt api-resources` lists the kinds"
    raise NotFound(f'the server doesn\'t have a resource type "{word}"', hint=hint)


class UnknownKind(NotFound):
    """No version that is served has such a kind."""


def by_manifest(client: Client, api_version: str, kind: str) -> Kind:
    """The resource of a manifest's apiVersion and kind. Raises UnknownKind with kubectl's text."""
    for known in KNOWN:
        if known.api_version == api_version and known.kind == kind:
            return known
    group, _, version = api_version.rpartition("/")
    if found := _discover(client, lambda r: r["kind"] == kind, group=group, version=version):
        return found
    raise UnknownKind(f'no matches for kind "{kind}" in version "{api_version}"')


def _names(resource: JsonObject) -> list[str]:
    group, plural, singular = (get_str(resource, key) for key in ("group", "name", "singularName"))
    short = [str(name) for name in get_list(resource, "shortNames")]
    return [plural, singular, f"{plural}.{group}", f"{singular}.{group}", *short]


def everything(client: Client) -> list[JsonObject]:
    """Every resource of every group's preferred version, with ``group`` and ``version`` filled in."""
    versions = [("", "v1")]
    for group in get_list(client.get("/apis"), "groups"):
        if isinstance(group, dict):
            versions.append((get_str(group, "name"), get_str(get_object(group, "preferredVersion"), "version")))
    return [r for group_name, version in versions for r in _resources(client, group_name, version)]


def _resources(client: Client, group: str, version: str) -> list[JsonObject]:
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    found = [dict(r) for r in get_list(client.get(path), "resources") if isinstance(r, dict)]
    for resource in found:
        resource["group"], resource["version"] = group, version
    return [r for r in found if "/" not in get_str(r, "name")]


def _discover(client: Client, accept: Accept, *, group: str | None = None, version: str = "") -> Kind | None:
    from solovirt.cli.client import ApiError

    try:
        candidates = everything(client) if group is None else _resources(client, group, version)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    for r in candidates:
        if accept(r):
            return Kind(
                get_str(r, "group"),
                get_str(r, "version"),
                get_str(r, "name"),
                get_str(r, "singularName") or get_str(r, "kind").lower(),
                get_str(r, "kind"),
                namespaced=bool(r.get("namespaced")),
            )
    return None
