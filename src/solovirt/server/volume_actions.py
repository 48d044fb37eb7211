"""addvolume and removevolume as virtctl sends them, and ``medium`` (ours): what is in a CD-ROM drive."""

from __future__ import annotations

from typing import TypeVar

from starlette.responses import Response

from solovirt.api.kubevirt.volume_requests import AddVolumeOptions, MediumOptions, RemoveVolumeOptions
from solovirt.kit.errors import BadRequest
from solovirt.kit.json import JsonObject
from solovirt.server import bodies, parameters
from solovirt.server.actions import VMIS, VMS, Actions, Handler, Target, typed

O = TypeVar("O", AddVolumeOptions, RemoveVolumeOptions, MediumOptions)  # noqa: E741


async def _options(target: Target, kind: type[O]) -> tuple[O, bool]:
    """The body, and whether nothing is to be changed."""
    given = await bodies.read_options(target.request)
    if not given:
        raise BadRequest("Request with no body, a new name is expected as the request body")
    disk = given.get("disk")
    if kind is AddVolumeOptions and isinstance(disk, dict):
        named: JsonObject = {**disk, "name": given.get("name") or ""}
        given = {**given, "disk": named}
    found = typed(given, kind)
    return found, parameters.is_dry_run(found.dry_run, "Options")


def _adding(*, vmi: bool) -> Handler:
    async def add(target: Target) -> Response:
        options, dry = await _options(target, AddVolumeOptions)
        volumes = target.services.operations.volumes
        await volumes.add(target.namespace, target.name, options, vmi=vmi, dry_run=dry)
        return Response(status_code=202)

    return add


def _removing(*, vmi: bool) -> Handler:
    async def remove(target: Target) -> Response:
        options, dry = await _options(target, RemoveVolumeOptions)
        volumes = target.services.operations.volumes
        await volumes.remove(target.namespace, target.name, options, vmi=vmi, dry_run=dry)
        return Response(status_code=202)

    return remove


def _medium(*, vmi: bool) -> Handler:
    async def change(target: Target) -> Response:
        options, dry = await _options(target, MediumOptions)
        volumes = target.services.operations.volumes
        await volumes.change_medium(target.namespace, target.name, options, vmi=vmi, dry_run=dry)
        return Response(status_code=202)

    return change


ACTIONS: Actions = {
    (VMS, "addvolume"): {"PUT": _adding(vmi=False)},
    (VMS, "removevolume"): {"PUT": _removing(vmi=False)},
    (VMIS, "addvolume"): {"PUT": _adding(vmi=True)},
    (VMIS, "removevolume"): {"PUT": _removing(vmi=True)},
}
"""KubeVirt's."""

MEDIA: Actions = {
    (VMS, "medium"): {"PUT": _medium(vmi=False)},
    (VMIS, "medium"): {"PUT": _medium(vmi=True)},
}
"""Ours."""
