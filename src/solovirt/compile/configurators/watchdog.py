"""The watchdog: a timer that the guest must keep winding, and what happens when it does not.

Source: QEMU hw/watchdog/wdt_i6300esb.c, qapi/run-state.json WatchdogAction.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.api.kubevirt.spec.devices import Watchdog
from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import Endpoint, Place
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, manifest, needs

PATH = "domain.devices.watchdog"
DRIVER = "i6300esb"
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
    action = action_of(watchdog)
    described = device(watchdog, ctx.layout.place(device_id(watchdog.name)))
    yield Option("-device", described, manifest(PATH, "a watchdog that the guest may start"))
    path, text = f"{PATH}.i6300esb.action", ACTIONS[action]
    given = watchdog.i6300esb is not None and watchdog.i6300esb.action
    happens = manifest(path, text) if given else default(text, path)
    yield Option("-action", KeyValues("", None, (Prop("watchdog", action, happens),)), happens)


def action_of(watchdog: Watchdog) -> str:
    """What QEMU does when it fires, also as the argument of ``set-action``. Raises ``Invalid``."""
    if watchdog.diag288 is not None:
        hint = "amd64 has i6300esb"
        raise invalid(f"{PATH}.diag288", "diag288 is a watchdog of s390x", reason="FieldValueNotSupported", hint=hint)
    action = (watchdog.i6300esb.action if watchdog.i6300esb is not None else "") or DEFAULT_ACTION
    if action not in ACTIONS:
        hint = "one of " + ", ".join(ACTIONS)
        raise invalid(f"{PATH}.i6300esb.action", f'watchdog action "{action}" is not supported', hint=hint)
    return action


def device(watchdog: Watchdog, place: Place) -> JsonValue:
    """The watchdog as the guest sees it, at ``place``; also what a hotplug sends as ``device_add``."""
    return JsonValue(
        (
            Prop("driver", DRIVER, manifest(f"{PATH}.i6300esb", "the watchdog of Intel's 6300ESB")),
            Prop("id", device_id(watchdog.name), needs("ua- and the manifest's name", f"{PATH}.name")),
            *place.props(),
        )
    )


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    if ctx.devices.watchdog is not None:
        yield Endpoint(device_id(ctx.devices.watchdog.name), "legacy", field=PATH, fixed=True)
