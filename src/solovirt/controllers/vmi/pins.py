"""Identity that a machine keeps for its life: UUID, serial, MAC addresses. Random where nothing is given.

The PCI layout and the machine version are added by compile. Pure but for the randomness that is passed in.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable

import msgspec

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.host.model.bindings import Pins


def key(vmi: VirtualMachineInstance) -> str:
    """Under whose uid the pins are kept: the VM's, so that they outlive the VMI, or the lone VMI's own."""
    kind = registry.VIRTUAL_MACHINES.kind
    for owner in vmi.metadata.owner_references:
        if owner.controller and owner.kind == kind:
            return owner.uid
    return vmi.metadata.uid


def random_mac() -> str:
    """Locally administered, unicast: 02:xx:xx:xx:xx:xx, never the reserved 02:00:00:00:00:00."""
    return "02:" + ":".join(f"{byte:02x}" for byte in (secrets.token_bytes(4) + bytes([secrets.randbelow(255) + 1])))


def complete(vmi: VirtualMachineInstance, before: Pins | None, *, new_mac: Callable[[], str] = random_mac) -> Pins:
    """The pins for the next start: those of before, and what the spec has and they lack.

    The spec wins where it says something; addresses of interfaces that are gone are forgotten.
    """
    known = before or Pins()
    firmware = vmi.spec.domain.firmware
    macs = {
        nic.name: nic.mac_address.lower().replace("-", ":") or known.macs.get(nic.name) or new_mac()
        for nic in vmi.spec.domain.devices.interfaces
    }
    return msgspec.structs.replace(
        known,
        uuid=(firmware.uuid if firmware else "") or known.uuid or str(uuid.uuid4()),
        serial=(firmware.serial if firmware else "") or known.serial,
        macs=macs,
    )
