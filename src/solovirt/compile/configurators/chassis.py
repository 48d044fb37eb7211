"""-smbios type=3: the chassis that the machine says it is in (``domain.chassis``)."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop
from solovirt.compile.reasons import manifest

PATH = "domain.chassis"


def options(ctx: Context) -> Iterator[Option]:
    chassis = ctx.spec.domain.chassis
    if chassis is None:
        return
    why = manifest(PATH, "SMBIOS chassis information")
    props = [
        Prop(key, text, manifest(f"{PATH}.{key}", f"{key} of the chassis"))
        for key in ("manufacturer", "version", "serial", "asset", "sku")
        if (text := getattr(chassis, key))
    ]
    if props:
        yield Option("-smbios", KeyValues("", None, (Prop("type", 3, why), *props)), why)
