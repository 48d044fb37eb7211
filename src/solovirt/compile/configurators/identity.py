"""-uuid and -smbios: who the machine says it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop, Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, manifest, needs
from solovirt.kit.errors import HostError

PATH = "domain.firmware"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_PINNED = "made at the VM's first start and kept for its life"


def options(ctx: Context) -> Iterator[Option]:
    identity, why = uuid(ctx)
    yield Option("-uuid", KeyValues(identity, why), why)
    table = default("SMBIOS system information, as KubeVirt fills it")
    props = [
        Prop("type", 1, table),
        Prop("manufacturer", "KubeVirt", table),
        Prop("product", "None", table),
        Prop("uuid", identity, needs("the same as -uuid", why.path)),
        Prop("family", "KubeVirt", table),
    ]
    number, why_number = serial(ctx)
    if number:
        props.append(Prop("serial", number, why_number))
    yield Option("-smbios", KeyValues("", None, tuple(props)), table)


def uuid(ctx: Context) -> tuple[str, Reason]:
    """``firmware.uuid``, else the pinned one. Raises ``Invalid``, or ``HostError`` when there is neither."""
    firmware, path = ctx.spec.domain.firmware, f"{PATH}.uuid"
    if firmware and firmware.uuid:
        if not _UUID.fullmatch(firmware.uuid):
            raise invalid(path, f'"{firmware.uuid}" is not a UUID')
        return firmware.uuid.lower(), manifest(path, "the machine's UUID")
    if not _UUID.fullmatch(ctx.bindings.pins.uuid):
        raise HostError("the machine has no UUID", reason="InvalidBindings", field=path, hint=f"set {path}")
    return ctx.bindings.pins.uuid.lower(), default(_PINNED, path)


def serial(ctx: Context) -> tuple[str, Reason]:
    """``firmware.serial``, else the pinned one; "" if there is none."""
    firmware, path = ctx.spec.domain.firmware, f"{PATH}.serial"
    if firmware and firmware.serial:
        return firmware.serial, manifest(path, "the machine's serial number")
    return ctx.bindings.pins.serial, default(_PINNED, path)
