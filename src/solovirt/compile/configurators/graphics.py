"""VNC and the display adapter, or neither."""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import check_path
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop
from solovirt.compile.reasons import default, host, manifest, needs

PATH = "domain.devices.autoattachGraphicsDevice"
_AUDIO = "audio1"


def options(ctx: Context) -> Iterator[Option]:
    attach = ctx.devices.autoattach_graphics_device
    if attach is False:
        why = manifest(PATH, "no display adapter, and no window on the host")
        yield Option("-display", KeyValues("none", why), why)
        return
    text = "a display that VNC shows"
    why = manifest(PATH, text) if attach else default(text, PATH)
    silent = default("nothing of the guest is played on the host")
    yield Option("-audiodev", JsonValue((Prop("id", _AUDIO, silent), Prop("driver", "none", silent))), silent)
    check_path(ctx.bindings.sockets.vnc)
    path = host("a unix socket in the VM's runtime directory; nothing listens on the network")
    yield Option(
        "-vnc",
        KeyValues(
            "",
            None,
            (
                Prop("vnc", f"unix:{ctx.bindings.sockets.vnc}", path),
                Prop("audiodev", _AUDIO, needs("VNC clients get no sound from the host's devices")),
            ),
        ),
        why,
    )
    place = default("the display's usual slot, where firmware looks first")
    yield Option(
        "-device",
        JsonValue(
            (
                Prop("driver", "VGA", why),
                Prop("id", "video0", needs("name of the device for QMP")),
                Prop("vgamem_mb", 16, default("enough for 2560 x 1600")),
                Prop("bus", "pcie.0", place),
                Prop("addr", "0x1", place),
            )
        ),
        why,
    )
