from __future__ import annotations

import msgspec
import pytest

from solovirt.api import registry
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.sources import ClaimSource, EphemeralClaim, EphemeralSource, Volume
from solovirt.api.meta import find_condition
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi
from tests.unit.controllers.storage.test_claims import claim

CLAIMS = registry.PERSISTENT_VOLUME_CLAIMS
MIB = 1 << 20


async def use(lab: Lab, volume: Volume) -> None:
    vmi = lone_vmi()
    vmi.spec.volumes = [volume]
    vmi.spec.domain.devices.disks = [Disk(name=volume.name, disk=DiskTarget(bus="virtio"))]
    await lab.objects.create(VMIS, vmi)
    await lab.settle()


def node(lab: Lab, size: int, *, read_only: bool = False) -> None:
    found: JsonObject = {"node-name": "data-0-format", "ro": read_only, "image": {"virtual-size": size}}
    replies: list[Json] = [found]
    lab.host.machine.replies["query-named-block-nodes"] = replies


async def ask(lab: Lab, size: str) -> None:
    def grow(found: PersistentVolumeClaim) -> bool:
        found.spec.resources.requests["storage"] = size
        return True

    await lab.objects.modify(CLAIMS, "default", "disk", grow)
    await lab.settle()


def waits(lab: Lab) -> str:
    found = find_condition(lab.claim("disk").status.conditions, "Resizing")
    return found.message if found is not None else ""


@pytest.fixture
async def used(lab: Lab) -> Lab:
    await lab.objects.create(CLAIMS, claim())
    await lab.settle()
    await use(lab, Volume(name="data", persistent_volume_claim=ClaimSource(claim_name="disk")))
    node(lab, 4 * MIB)
    records, uid = lab.manager._vmis.records, lab.vmi("lone").metadata.uid
    record = records.launch(uid)
    assert record is not None
    await records.put_launch(uid, msgspec.structs.replace(record, sizes={"data": 4 * MIB}))
    return lab


async def test_the_machine_that_has_it_makes_it_larger(used: Lab) -> None:
    await ask(used, "8Mi")
    assert "block_resize" in used.host.machine.calls
    assert used.claim("disk").status.capacity == {"storage": "8Mi"}
    record = used.manager._vmis.records.launch(used.vmi("lone").metadata.uid)
    assert record is not None and record.sizes["data"] == 8 * MIB
    assert used.vmi("lone").status.volume_status[0].size == 8 * MIB
    assert "VolumeResizeSuccessful" in used.reasons("PersistentVolumeClaim")
    assert used.host.disks[("default", "disk")] == 4 * MIB, "nobody else touched the file"


async def test_one_that_has_grown_already_is_left(used: Lab) -> None:
    node(used, 8 * MIB)
    await ask(used, "8Mi")
    assert "block_resize" not in used.host.machine.calls
    assert waits(used) == ""


async def test_one_that_may_not_be_written(used: Lab) -> None:
    node(used, 4 * MIB, read_only=True)
    await ask(used, "8Mi")
    assert "lone" in waits(used)


async def test_an_overlay_does_not_grow_with_its_claim(lab: Lab) -> None:
    await lab.objects.create(CLAIMS, claim())
    await lab.settle()
    source = EphemeralSource(persistent_volume_claim=EphemeralClaim(claim_name="disk"))
    await use(lab, Volume(name="data", ephemeral=source))
    await ask(lab, "8Mi")
    assert "lone" in waits(lab) and lab.claim("disk").status.capacity == {"storage": "4Mi"}


async def test_the_host_is_full(used: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = used.host.machine.qmp

    async def full(command: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        if command == "block_resize":
            raise GuestError("Failed to grow the L1 table: No space left on device", reason="GenericError")
        return await answer(command, arguments)

    monkeypatch.setattr(used.host.machine, "qmp", full)
    await ask(used, "8Mi")
    assert "No space left on device" in waits(used)
    assert used.claim("disk").status.phase == "Bound"
    assert "VolumeResizeFailed" in used.reasons("PersistentVolumeClaim")
