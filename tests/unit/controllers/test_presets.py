"""VMIs that override a preset say so."""

from __future__ import annotations

from solovirt.api import registry
from solovirt.kit.json import JsonObject
from tests.unit.api.instancetype.samples import make
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


async def test_what_a_vmi_overrides_is_an_event(lab: Lab) -> None:
    spec: JsonObject = {"selector": {}, "domain": {"cpu": {"cores": 2}, "features": {"acpi": {}}}}
    await lab.objects.create(registry.PRESETS, make(registry.PRESETS, "p", spec))
    await lab.objects.create(VMIS, lone_vmi("plain"))
    await lab.settle()
    assert "Override" not in lab.reasons("VirtualMachineInstance")
    other = lone_vmi("other")
    other.spec.domain.cpu = lab.vmi("plain").spec.domain.cpu
    await lab.objects.create(VMIS, other)
    await lab.settle()
    assert lab.reasons("VirtualMachineInstance").count("Override") == 1
    (event,) = [found for found in lab.objects.list(registry.EVENTS).items if found.reason == "Override"]
    assert event.message.startswith("Some settings were not applied for VirtualMachineInstancePreset 'p': spec.cpu: ")
