"""The TPM 2.0 (``devices.tpm``): a device in front of swtpm, which keeps the state.

Source: QEMU docs/specs/tpm.rst; kubevirt converter/compute/tpm.go (tpm-crb for persistent ones).
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.chardev import connect
from solovirt.compile.context import Context
from solovirt.compile.options import JsonValue, KeyValues, Option, Prop
from solovirt.compile.reasons import default, manifest, needs
from solovirt.kit.errors import HostError

PATH = "domain.devices.tpm"
_CHARDEV, _BACKEND, _DEVICE = "chrtpm", "tpm-tpm0", "tpm0"


def options(ctx: Context) -> Iterator[Option]:
    if not wanted(ctx):
        return
    socket = ctx.bindings.sockets.tpm
    if not socket:
        raise HostError("the TPM's socket has not been resolved", reason="InvalidBindings", field=PATH)
    why = manifest(PATH, "a TPM 2.0")
    yield connect(_CHARDEV, socket, "swtpm", why)
    emulator = default("the TPM is software, a program beside QEMU", PATH)
    props = (
        Prop("id", _BACKEND, needs("libvirt's name for the TPM's other side")),
        Prop("chardev", _CHARDEV, needs("the way to swtpm")),
    )
    yield Option("-tpmdev", KeyValues("emulator", emulator, props), why)
    yield Option(
        "-device",
        JsonValue(
            (
                _model(ctx),
                Prop("tpmdev", _BACKEND, needs("its other side")),
                Prop("id", _DEVICE, needs("name of the device for QMP")),
            )
        ),
        why,
    )


def wanted(ctx: Context) -> bool:
    tpm = ctx.devices.tpm
    return tpm is not None and tpm.enabled is not False


def _model(ctx: Context) -> Prop:
    path = f"{PATH}.persistent"
    if ctx.devices.tpm is not None and ctx.devices.tpm.persistent:
        return Prop("driver", "tpm-crb", manifest(path, "KubeVirt's model for a TPM whose state is kept"))
    return Prop("driver", "tpm-tis", default("KubeVirt's model for a TPM whose state goes with the VMI", path))
