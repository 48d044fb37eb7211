"""Events of VMIs that override parts of a preset. The merging itself is the API's.

Source: kubevirt's former preset controller (reason ``Override``).
"""

from __future__ import annotations

from solovirt.api.kubevirt.presets import OVERRIDDEN
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.events import Recorder

OVERRIDE = "Override"


def tell(events: Recorder, vmi: VirtualMachineInstance) -> None:
    """For a VMI that was just made: what it keeps of its own where a preset says otherwise."""
    if vmi.status.phase:
        return
    for key, parts in sorted(vmi.metadata.annotations.items()):
        if key.startswith(OVERRIDDEN):
            name = key.removeprefix(OVERRIDDEN)
            text = f"Some settings were not applied for VirtualMachineInstancePreset '{name}': {parts}"
            events.warning(vmi, OVERRIDE, text)
