"""Devices of the host inside a guest: what identifies one for QEMU.

Source: QEMU hw/vfio/pci.c (``host``, ``sysfsdev``), hw/usb/host-libusb.c (``hostbus``, ``hostaddr``).
"""

from __future__ import annotations

import posixpath
import re

from solovirt.compile.context import Context
from solovirt.compile.options import Prop, Reason
from solovirt.compile.reasons import host, needs
from solovirt.host.model.bindings import HostDeviceBinding
from solovirt.kit.errors import HostError

NOWHERE = "none"
"""Stands where the address would, in explanations for a host that has no such device."""
_PCI = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", re.ASCII)
_USB = re.compile(r"[1-9][0-9]{0,2}-[1-9][0-9]{0,2}", re.ASCII)


def bound(ctx: Context, name: str) -> HostDeviceBinding:
    """What the device called ``name`` in the manifest resolved to. "pci" without an address where it did not."""
    missing = HostDeviceBinding(name, "pci", "", lacks="no device of this host was assigned to it")
    return ctx.bindings.host_devices.get(name, missing)


def source(ctx: Context, name: str, why: Reason) -> tuple[Prop, ...]:
    """``driver`` and the keys that say which device of the host it is. Raises ``HostError`` for a malformed binding."""
    found = bound(ctx, name)
    where = host(found.note or "the device of this host")
    if not found.address:
        where = host(f"not startable here: {found.lacks}" + (f"; {found.hint}" if found.hint else ""))
    address = found.address
    match found.kind:
        case "pci" if not address or _PCI.fullmatch(address):
            return (Prop("driver", "vfio-pci", why), Prop("host", address or NOWHERE, where))
        case "mdev" if not address or (address.startswith("/sys/") and posixpath.normpath(address) == address):
            return (Prop("driver", "vfio-pci", why), Prop("sysfsdev", address or NOWHERE, where))
        case "usb" if not address or _USB.fullmatch(address):
            bus, _, number = (address or "0-0").partition("-")
            which = needs("its number on that bus") if address else where
            return (
                Prop("driver", "usb-host", why),
                Prop("hostbus", int(bus), where),
                Prop("hostaddr", int(number), which),
            )
        case _:
            text = f'device "{name}" is bound as {found.kind} "{address}"'
            raise HostError(text, reason="InvalidBindings")
