"""-sandbox: system calls that QEMU gives up, so that a guest that breaks into it finds little."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop
from solovirt.compile.reasons import default
from solovirt.kit.errors import HostError

_DENIED = {
    "obsolete": "system calls that nothing current needs",
    "elevateprivileges": "no set-uid programs, no change of user",
    "spawn": "no other programs: helpers are started by solovirt",
    "resourcecontrol": "no change of scheduling or of resource limits",
}


def options(ctx: Context) -> Iterator[Option]:
    if "sandbox" not in ctx.facts.qemu.options:
        raise HostError(
            f"{ctx.facts.qemu.binary} was built without seccomp, so a guest could not be confined",
            reason="SandboxMissing",
            hint="apt install qemu-system-x86; SOLOVIRT_QEMU names another binary",
        )
    why = default("QEMU runs under a seccomp filter")
    props = tuple(Prop(key, "deny", default(text)) for key, text in _DENIED.items())
    yield Option("-sandbox", KeyValues("on", why, props), why)
