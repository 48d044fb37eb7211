"""VNC and the display adapter, or neither.

Source: QEMU hw/display; kubevirt pkg/virt-launcher/virtwrap/converter/compute/graphics.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import check_path
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop, Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs

PATH = "domain.devices.autoattachGraphicsDevice"
VIDEO = "domain.devices.video"
VGA_FOR_EFI = "kubevirt.io/vga-display-efi-x86"
"""An annotation: guests with EFI keep the VGA adapter, as older releases gave it to them."""
TYPES = ("virtio", "vga", "bochs", "cirrus", "ramfb")
AUDIO = "audio1"
_MEMORY_MIB = 16


def options(ctx: Context) -> Iterator[Option]:
    attach = ctx.devices.autoattach_graphics_device
    if attach is False:
        if ctx.devices.video is not None:
            text = "there is no display for it, as autoattachGraphicsDevice is false"
            raise invalid(VIDEO, text, hint="leave one of them out")
        why = manifest(PATH, "no display adapter, and no window on the host")
        yield Option("-display", KeyValues("none", why), why)
        return
    text = "a display that VNC shows"
    why = manifest(PATH, text) if attach else default(text, PATH)
    yield audio_backend()
    check_path(ctx.bindings.sockets.vnc)
    path = host("a unix socket in the VM's runtime directory; nothing listens on the network")
    yield Option(
        "-vnc",
        KeyValues(
            "",
            None,
            (
                Prop("vnc", f"unix:{ctx.bindings.sockets.vnc}", path),
                Prop("audiodev", AUDIO, needs("VNC clients get no sound from the host's devices")),
            ),
        ),
        why,
    )
    yield Option("-device", _adapter(ctx, why), why)


def audio_backend() -> Option:
    """Where a guest's sound goes: nowhere."""
    silent = default("nothing of the guest is played on the host")
    return Option("-audiodev", JsonValue((Prop("id", AUDIO, silent), Prop("driver", "none", silent))), silent)


def _adapter(ctx: Context, display: Reason) -> JsonValue:
    kind, why = _type(ctx, display)
    named = Prop("id", "video0", needs("name of the device for QMP"))
    place = default("the display's usual slot, where firmware looks first")
    slot = (Prop("bus", "pcie.0", place), Prop("addr", "0x1", place))
    room = default("enough for 2560 x 1600")
    match kind:
        case "vga":
            return JsonValue((Prop("driver", "VGA", why), named, Prop("vgamem_mb", _MEMORY_MIB, room), *slot))
        case "cirrus":
            memory = Prop("vgamem_mb", _MEMORY_MIB, room)
            return JsonValue((Prop("driver", "cirrus-vga", why), named, memory, *slot))
        case "bochs":
            size = Prop("vgamem", _MEMORY_MIB * 1024**2, room)
            return JsonValue((Prop("driver", "bochs-display", why), named, size, *slot))
        case "virtio":
            heads = Prop("max_outputs", 1, default("one monitor"))
            return JsonValue((Prop("driver", "virtio-vga", why), named, heads, *slot))
        case "ramfb":
            return JsonValue((Prop("driver", "ramfb", why), named))
        case _:
            text = f'video type "{kind}" is not supported'
            raise invalid(f"{VIDEO}.type", text, reason="FieldValueNotSupported", hint="one of " + ", ".join(TYPES))


def _type(ctx: Context, display: Reason) -> tuple[str, Reason]:
    if ctx.devices.video is not None:
        kind = ctx.devices.video.type
        return kind, manifest(f"{VIDEO}.type", f"display adapter {kind}")
    if not efi(ctx):
        return "vga", display
    if ctx.annotated(VGA_FOR_EFI):
        return "vga", manifest(f"metadata.annotations[{VGA_FOR_EFI}]", "VGA, though the guest boots by EFI")
    return "bochs", default("EFI guests need nothing of VGA, so they get the simpler adapter", f"{VIDEO}.type")


def efi(ctx: Context) -> bool:
    """Whether the guest boots by EFI."""
    firmware = ctx.spec.domain.firmware
    return firmware is not None and firmware.bootloader is not None and firmware.bootloader.efi is not None
