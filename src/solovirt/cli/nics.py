"""Interfaces and networks of a VM's manifest: adding, unplugging, forgetting one; its link. Works on plain values.

Source: KubeVirt, docs/network/hotplug_interfaces (``state: absent``).
"""

from __future__ import annotations

from solovirt.kit.errors import BadRequest, NotFound
from solovirt.kit.jsontypes import Json, JsonObject, get_list, get_object, get_str

POD = "pod"
DEFAULT = "default"


def interfaces(spec: JsonObject) -> list[JsonObject]:
    """Of a VMI spec; also the one on the pod network that a spec without any gets."""
    given = _objects(_devices(spec), "interfaces")
    if given or _objects(spec, "networks") or _devices(spec).get("autoattachPodInterface") is False:
        return given
    return [{"name": DEFAULT, "bridge": {}}]


def networks(spec: JsonObject) -> list[JsonObject]:
    given = _objects(spec, "networks")
    return given if given or not interfaces(spec) else [{"name": DEFAULT, "pod": {}}]


def added(spec: JsonObject, interface: JsonObject, network: JsonObject) -> JsonObject:
    """The part of the spec that changes. Raises ``BadRequest`` for a name that is taken, and for a second interface on
    the pod network."""
    name, there = get_str(interface, "name"), interfaces(spec)
    if any(get_str(one, "name") == name for one in there):
        raise BadRequest(f"there is an interface {name} already", hint="give another name: solovirt nic add VM NAME")
    pod = next((one for one in networks(spec) if POD in one), None)
    if POD in network and pod is not None:
        text = f"interface {get_str(pod, 'name')} is on the pod network already, and there can be only one"
        raise BadRequest(text, hint="--network NAME attaches to another network")
    return changed(spec, [*there, interface], [*networks(spec), network])


def with_state(spec: JsonObject, name: str, state: str) -> JsonObject:
    """Raises ``NotFound``."""
    found: list[JsonObject] = [
        {**one, "state": state} if get_str(one, "name") == name else one for one in interfaces(spec)
    ]
    require(spec, name)
    return changed(spec, found, networks(spec))


def without(spec: JsonObject, name: str) -> JsonObject:
    """Raises ``NotFound``."""
    require(spec, name)
    return changed(
        spec,
        [one for one in interfaces(spec) if get_str(one, "name") != name],
        [one for one in networks(spec) if get_str(one, "name") != name],
    )


def require(spec: JsonObject, name: str) -> None:
    names = [get_str(one, "name") for one in interfaces(spec)]
    if name not in names:
        raise NotFound(f"there is no interface {name}", hint="there are: " + ", ".join(names) if names else "")


def changed(spec: JsonObject, nics: list[JsonObject], nets: list[JsonObject]) -> JsonObject:
    """A merge patch. Without any interface it also says that none is to come by itself."""
    devices: JsonObject = {"interfaces": list[Json](nics)}
    if not nics and _devices(spec).get("autoattachPodInterface") is not False:
        devices["autoattachPodInterface"] = False
    return {"domain": {"devices": devices}, "networks": list[Json](nets)}


def _devices(spec: JsonObject) -> JsonObject:
    return get_object(get_object(spec, "domain"), "devices")


def _objects(value: JsonObject, key: str) -> list[JsonObject]:
    return [item for item in get_list(value, key) if isinstance(item, dict)]
