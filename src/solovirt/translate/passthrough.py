"""Devices of the host that a command line gives to its guest: GPUs, other PCI and USB devices, functions of NICs.

Which device it was is a loss each time: a manifest names a resource, and the host permits devices under that name.
"""

from __future__ import annotations

from solovirt.kit.jsontypes import JsonObject
from solovirt.translate.draft import Draft
from solovirt.translate.parts import Parts
from solovirt.translate.words import Flag

DEVICES = "domain.devices"
_PREFIXES = {"gpu-": "gpus", "hostdevice-": "hostDevices", "usb-host-": "hostDevices", "sriov-": "interfaces"}
"""Of KubeVirt's device ids."""


def device(draft: Draft, parts: Parts, flag: Flag) -> None:
    """``vfio-pci`` and ``usb-host``."""
    what = flag.word("host") or flag.word("sysfsdev") or flag.word("hostaddr") or flag.word("vendorid")
    wish, where = flag.word("id").removeprefix("ua-"), "hostDevices"
    for prefix, listed in _PREFIXES.items():
        if wish.startswith(prefix):
            wish, where = wish.removeprefix(prefix), listed
            break
    name = draft.free_name(wish or "hostdevice", f"{DEVICES}.{where}")
    if where == "interfaces":
        _function(draft, flag, name, what)
        return
    entry: JsonObject = {"name": name, "deviceName": f"example.com/{name}"}
    if where == "gpus" and flag.word("sysfsdev"):
        entry["virtualGPUOptions"] = {"display": _display(flag)}
    elif flag.on("display"):
        draft.lose(f"display=on of {name}", "a whole device shows its own picture")
    draft.add(f"{DEVICES}.{where}", entry)
    draft.lose(flag.shown(), f"host device {what}: permit it under the resource name example.com/{name}")


def _display(flag: Flag) -> JsonObject:
    if not flag.on("display"):
        return {"enabled": False}
    return {"enabled": True, "ramFB": {"enabled": flag.on("ramfb") is True}}


def _function(draft: Draft, flag: Flag, name: str, what: str) -> None:
    nic: JsonObject = {"name": name, "sriov": {}}
    if (order := flag.number("bootindex")) is not None:
        nic["bootOrder"] = max(order, 1)
    draft.add(f"{DEVICES}.interfaces", nic)
    draft.add("networks", {"name": name, "multus": {"networkName": name}})
    draft.lose(flag.shown(), f'function {what}: the network attachment "{name}" has to name its resource')
