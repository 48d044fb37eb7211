from __future__ import annotations

import asyncio

import pytest

from solovirt.api import registry
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import ClaimSource, Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.vmi.launcher import _Pulls
from solovirt.host.images.pull import Progress
from solovirt.host.model.bindings import DiskImage, VolumeBinding
from solovirt.host.volumes.prepare import Context, Volumes
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi


async def test_what_is_remembered_of_a_launch(lab: Lab) -> None:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    vmi = lab.vmi("lone")
    record = lab.manager._vmis.records.launch(vmi.metadata.uid)
    assert record is not None
    assert (record.namespace, record.name, record.paused) == ("default", "lone", False)
    assert {"-S", "-no-shutdown", "-uuid"} <= set(record.argv)
    pins = lab.manager._vmis.records.pins(vmi.metadata.uid)
    assert pins is not None
    assert pins.uuid == record.uuid
    assert pins.pci, "the layout that compile chose"


async def test_a_paused_start(lab: Lab) -> None:
    made = lone_vmi()
    made.spec.start_strategy = "Paused"
    await lab.objects.create(VMIS, made)
    await lab.settle()
    assert lab.host.machine.identity.paused
    assert any(condition.type == "Paused" for condition in lab.vmi("lone").status.conditions)


async def test_pulls_are_told_once(lab: Lab) -> None:
    vmi = await lab.objects.create(VMIS, lone_vmi())
    pulls = _Pulls(lab.manager._site, vmi, asyncio.get_running_loop())
    for phase, done in (("resolving", 0), ("pulling", 10), ("pulling", 20)):
        pulls.report(Progress("registry/image:1", phase, done, 3 << 20))
    await asyncio.sleep(0)
    pulls.done()
    await lab.settle()
    events = {event.reason: event.message for event in lab.objects.list(registry.EVENTS).items}
    assert events["Pulling"] == 'Pulling image "registry/image:1" (3.0 MiB)'
    assert events["Pulled"] == 'Successfully pulled image "registry/image:1"'


async def test_one_volume_is_prepared_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are open in the machine."""
    prepared: list[list[str]] = []

    async def prepare(self: Volumes, vmi: VirtualMachineInstance, context: Context) -> dict[str, VolumeBinding]:
        prepared.append([volume.name for volume in vmi.spec.volumes])
        return {"b": VolumeBinding("b", "persistentVolumeClaim", DiskImage("/b", "qcow2"))}

    launcher = lab.manager._vmis.launcher
    monkeypatch.setattr(type(lab.manager._site.volumes), "prepare", prepare)
    vmi = lone_vmi()
    vmi.metadata.uid = "u"
    vmi.spec.volumes = [Volume(name=name, persistent_volume_claim=ClaimSource(claim_name=name)) for name in "ab"]
    vmi.spec.domain.devices.disks = [Disk(name=name, disk=DiskTarget(bus="scsi")) for name in "ab"]
    assert (await launcher.prepare_volume(vmi, "b")).image.path == "/b"
    assert prepared == [["b"]]
    assert len(vmi.spec.volumes) == 2
    (waits,) = launcher.waits_for(vmi, "b")
    assert (waits.reason, waits.message) == (
        "FailedPvcNotFound",
        "PVC default/b does not exist, waiting for it to appear",
    )
