"""The watchdog: a timer that the guest must keep winding, and what happens when it does not.

Source: QEMU hw/watchdog/wdt_i6300esb.c, qapi/run-state.json WatchdogAction.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, manifest, needs

PATH = "domain.devices.watchdog"
ACTIONS = {
    "reset": "the machine is reset when the guest stops winding it",
    "poweroff": "the machine is switched off when the guest stops winding it",
    "shutdown": "the guest is asked to shut down when it stops winding it",
}
DEFAULT_ACTION = "reset"


def options(ctx: Context) -> Iterator[Option]:
    watchdog = ctx.devices.watchdog
    if watchdog is None:
        return
    if watchdog.diag288 is not None:
        hint = "amd64 has i6300esb"
        raise invalid(f"{PATH}.diag288", "diag288 is a watchdog of s390x", reason="FieldValueNotSupported", hint=hint)
    path = f"{PATH}.i6300esb"
    given = watchdog.i6300esb.action if watchdog.i6300esb is not None else ""
    action = given or DEFAULT_ACTION
    if action not in ACTIONS:
        hint = "one of " + ", ".join(ACTIONS)
        raise invalid(f"{path}.action", f'watchdog action "{action}" is not supported', hint=hint)
    why = manifest(PATH, "a watchdog that the guest may start")
    name = device_id(watchdog.name)
    props = (
        Prop("driver", "i6300esb", manifest(path, "the watchdog of Intel's 6300ESB")),
        Prop("id", name, needs("ua- and the manifest's name", f"{PATH}.name")),
        *ctx.layout.place(name).props(),
    )
    yield Option("-device", JsonValue(props), why)
    text = ACTIONS[action]
    happens = manifest(f"{path}.action", text) if given else default(text, f"{path}.action")
    yield Option("-action", KeyValues("", None, (Prop("watchdog", action, happens),)), happens)


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if ctx.devices.watchdog is not None:
        yield Endpoint(device_id(ctx.devices.watchdog.name), "legacy", field=PATH, fixed=True)
