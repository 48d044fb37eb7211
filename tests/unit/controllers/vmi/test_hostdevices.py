"""What is given to one machine at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.devices import GPU
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.sources import MultusNetwork, Network
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers.vmi.hostdevices import HostDeviceGiver
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.host import devices, vsock
from solovirt.host.model.bindings import HostDeviceBinding
from solovirt.kit.errors import HostError
from tests.unit.controllers.lab import Lab, lone_vmi

RUN = Path("/run/x")


class OneCard(devices.HostDevices):
    """A host with one card, which every VMI wants."""

    def resolve(self, spec: object, taken: object = ()) -> dict[str, HostDeviceBinding]:
        assert isinstance(taken, set)
        if "0000:01:00.0" in taken:
            return {"g": HostDeviceBinding("g", "pci", "", lacks="in use")}
        return {"g": HostDeviceBinding("g", "pci", "0000:01:00.0")}


def named(uid: str) -> VirtualMachineInstance:
    vmi = lone_vmi()
    vmi.metadata.uid = uid
    vmi.spec.domain.devices.gpus = [GPU(name="g", device_name="card")]
    return vmi


@pytest.fixture
def giver(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostDeviceGiver:
    monkeypatch.setattr(devices, "HostDevices", OneCard)
    return HostDeviceGiver(tmp_path, lab.manager._vmis.records)


async def test_a_card_has_one_owner(giver: HostDeviceGiver) -> None:
    first = await giver.give(named("1"), RUN)
    assert first.addresses == ("0000:01:00.0",)
    assert await giver.give(named("1"), RUN) == first, "the same again"
    with pytest.raises(HostError, match="in use"):
        await giver.give(named("2"), RUN)
    giver.forget("1")
    assert (await giver.give(named("2"), RUN)).addresses == ("0000:01:00.0",)


async def test_two_that_ask_at_once(giver: HostDeviceGiver) -> None:
    both = await asyncio.gather(*(giver.give(named(uid), RUN) for uid in "12"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in both) == ["Given", "HostError"]


async def test_what_a_launch_record_says_counts_too(giver: HostDeviceGiver, lab: Lab) -> None:
    record = LaunchRecord(namespace="default", name="a", uuid="u", argv=(), devices=("0000:01:00.0",), vsock_cid=3)
    await lab.manager._vmis.records.put_launch("1", record)
    with pytest.raises(HostError, match="in use"):
        await giver.give(named("2"), RUN)
    assert (await giver.give(named("1"), RUN)).addresses == ("0000:01:00.0",)


async def test_vsock_numbers(giver: HostDeviceGiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "vhost-vsock"
    monkeypatch.setattr(vsock, "require", lambda **given: None)
    monkeypatch.setattr(vsock, "DEVICE", device)
    monkeypatch.setattr(vsock, "allocate", lambda owner, taken: max({2, *taken}) + 1)
    found = []
    for uid in ("1", "2"):
        vmi = named(uid)
        vmi.spec.domain.devices.autoattach_vsock = True
        vmi.spec.domain.devices.gpus = []
        found.append(await giver.give(vmi, RUN))
    assert [given.vsock_cid for given in found] == [3, 4]
    assert device in found[0].nodes
    assert (await giver.give(named("3"), RUN)).vsock_cid == 0


async def test_a_network_that_is_not_here_is_told_before_anything_is_taken(giver: HostDeviceGiver) -> None:
    vmi = named("1")
    vmi.spec.networks = [Network(name="lan", multus=MultusNetwork(network_name="vlan10"))]
    vmi.spec.domain.devices.interfaces = [Interface(name="lan", bridge=Binding())]
    with pytest.raises(HostError, match="no bridge of that name") as caught:
        await giver.give(vmi, RUN, prefix="spec.template.spec")
    assert caught.value.field == "spec.template.spec.domain.devices.interfaces[0]"
    assert giver.plan(vmi, RUN).networks["lan"].kind == "tap"
    assert (await giver.give(named("2"), RUN)).addresses == ("0000:01:00.0",)
