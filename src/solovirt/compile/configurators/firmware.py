"""The guest's firmware: UEFI code and variables as flash or ROM, SeaBIOS' serial console, ACPI tables.

Source: libvirt qemu_command.c (names of the flash nodes); QEMU docs/interop/firmware.json, hw/block/pflash_cfi01.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.configurators.graphics import efi
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop, Reason, Word
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.host.model.bindings import DiskImage, FirmwareBinding
from solovirt.kit.errors import HostError

PATH = "domain.firmware.bootloader"
EFI = f"{PATH}.efi"
SERIAL = f"{PATH}.bios.useSerial"
ACPI = "domain.firmware.acpi"
CODE, VARIABLES = "libvirt-pflash0", "libvirt-pflash1"
_FORMATS = ("raw", "qcow2")


def flash(ctx: Context) -> Iterator[Option]:
    """The nodes of both flash chips; they stand before -machine, which names them."""
    bound = resolved(ctx)
    if bound is None or bound.rom:
        return
    why = manifest(EFI, "UEFI firmware" + (f": {bound.note}" if bound.note else ""))
    shared = default("firmware code is shared by all guests and never written")
    for node in _chip(CODE, bound.code, why, Prop("read-only", True, shared)):
        yield Option("-blockdev", node, why)
    if bound.variables is not None:
        why = _variables_why(ctx)
        own = default("this guest's own file, which its firmware writes")
        for node in _chip(VARIABLES, bound.variables, why, Prop("read-only", False, own)):
            yield Option("-blockdev", node, why)


def machine_props(ctx: Context) -> list[Prop]:
    """What of it stands in -machine."""
    props: list[Prop] = []
    if serial_console(ctx):
        if ctx.devices.autoattach_serial_console is False:
            raise invalid(SERIAL, "the machine has no serial port", hint="leave out autoattachSerialConsole: false")
        why = manifest(SERIAL, "SeaBIOS writes to the serial port when the machine has no graphics")
        props.append(Prop("graphics", False, why))
    bound = resolved(ctx)
    if bound is None or bound.rom:
        return props
    props.append(Prop("pflash0", f"{CODE}-format", manifest(EFI, "the chip with the firmware's code")))
    if bound.variables is not None:
        props.append(Prop("pflash1", f"{VARIABLES}-format", manifest(EFI, "the chip with the firmware's variables")))
    return props


def security(ctx: Context) -> Iterator[Option]:
    bound = resolved(ctx)
    if bound is None or not bound.secure or bound.rom:
        return
    path = f"{EFI}.secureBoot"
    why = _secure_why(ctx, "only firmware in system management mode may write the variables", path)
    props = (
        Prop("driver", "cfi.pflash01", needs("both flash chips", path)),
        Prop("property", "secure", why),
        Prop("value", True, why),
    )
    yield Option("-global", KeyValues("", None, props), why)


def rom(ctx: Context) -> Iterator[Option]:
    """Firmware without variables, which a confidential guest measures as a whole."""
    bound = resolved(ctx)
    if bound is not None and bound.rom:
        note = f": {bound.note}" if bound.note else ""
        why = manifest(EFI, f"UEFI firmware without variables, for a confidential guest{note}")
        yield Option("-bios", Word(bound.code.path, why), why)


def tables(ctx: Context) -> Iterator[Option]:
    firmware = ctx.spec.domain.firmware
    asked = firmware.acpi if firmware else None
    if asked is None:
        return
    bound = ctx.bindings.acpi_tables
    pairs = (
        ("SLIC", "slicNameRef", asked.slic_name_ref, bound.slic if bound else ""),
        ("MSDM", "msdmNameRef", asked.msdm_name_ref, bound.msdm if bound else ""),
    )
    for signature, name, volume, path in pairs:
        field = f"{ACPI}.{name}"
        if not volume:
            continue
        if not path:
            text = f'the ACPI table of volume "{volume}" has not been resolved'
            raise HostError(text, reason="InvalidBindings", field=field)
        if ":" in path:
            raise HostError(
                f"{path}: QEMU takes no colon in the path of an ACPI table",
                reason="InvalidPath",
                field=field,
                hint="set SOLOVIRT_STATE_DIR to a directory without one",
            )
        why = manifest(field, f"the ACPI table {signature} out of the secret of volume {volume}")
        props = (Prop("sig", signature, why), Prop("file", path, host("a copy that only this VM can read", field)))
        yield Option("-acpitable", KeyValues("", None, props), why)


def resolved(ctx: Context) -> FirmwareBinding | None:
    """The firmware of an EFI guest, None for SeaBIOS. Raises ``Invalid``, or ``HostError`` if there is no binding."""
    if not efi(ctx):
        return None
    firmware = ctx.spec.domain.firmware
    if firmware and firmware.bootloader and firmware.bootloader.bios:
        raise invalid(PATH, "EFI and BIOS are mutually exclusive")
    if ctx.bindings.firmware is None:
        raise HostError("the EFI firmware has not been resolved on this host", reason="InvalidBindings", field=EFI)
    return ctx.bindings.firmware


def serial_console(ctx: Context) -> bool:
    firmware = ctx.spec.domain.firmware
    bios = firmware.bootloader.bios if firmware and firmware.bootloader else None
    return bios is not None and bool(bios.use_serial)


def _chip(name: str, image: DiskImage, why: Reason, access: Prop) -> Iterator[JsonValue]:
    if image.format not in _FORMATS:
        raise HostError(f'{image.path} has the unknown format "{image.format}"', reason="InvalidBindings", field=EFI)
    storage = f"{name}-storage"
    yield JsonValue(
        (
            Prop("driver", "file", host("a file", EFI)),
            Prop("filename", image.path, why),
            Prop("node-name", storage, needs("libvirt's name of the storage node")),
            Prop("auto-read-only", True, default("opened for writing only when something writes")),
            Prop("discard", "unmap", default("as libvirt opens firmware")),
        )
    )
    top = [
        Prop("node-name", f"{name}-format", needs("-machine names it")),
        access,
        Prop("driver", image.format, host("the format that the firmware's descriptor tells", EFI)),
        Prop("file", storage, needs("the storage node")),
    ]
    if image.format == "qcow2":
        top.append(Prop("backing", None, default("no backing image, whatever the file's header says")))
    yield JsonValue(tuple(top))


def _variables_why(ctx: Context) -> Reason:
    firmware = ctx.spec.domain.firmware
    asked = firmware.bootloader.efi if firmware and firmware.bootloader else None
    path = f"{EFI}.persistent"
    if asked is not None and asked.persistent:
        return manifest(path, "the VM's UEFI variables, kept from start to start")
    return default("UEFI variables, made anew from the firmware's template at each start", path)


def _secure_why(ctx: Context, text: str, path: str) -> Reason:
    firmware = ctx.spec.domain.firmware
    asked = firmware.bootloader.efi if firmware and firmware.bootloader else None
    return manifest(path, text) if asked is not None and asked.secure_boot else default(text, path)
