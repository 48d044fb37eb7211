from __future__ import annotations

import msgspec
import pytest

from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.sources import MultusNetwork, Network
from solovirt.controllers.vmi.live import nics
from solovirt.controllers.vmi.live.concern import Report
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.hypervisor import plugging
from solovirt.kit.errors import GuestError
from tests.unit.controllers.lab import Lab, lone_vmi

from .qemu import Bench, bench

VIRTIO: dict[str, str] = {"driver": "virtio-net-pci-non-transitional"}


@pytest.fixture
async def empty(lab: Lab) -> Bench:
    """A machine without NICs whose spec has "default" on the pod network."""
    vmi = lone_vmi()
    vmi.spec.domain.devices.autoattach_pod_interface = False
    nic, network = vmi.spec.domain.devices.interfaces.pop(), vmi.spec.networks.pop()
    found = await bench(lab, vmi)
    found.vmi.spec.domain.devices.interfaces = [nic]
    found.vmi.spec.networks = [network]
    return found


@pytest.fixture
async def plugged(lab: Lab) -> Bench:
    """A machine that was started with "default"."""
    found = await bench(lab)
    found.qemu.devices["ua-default"] = dict(VIRTIO)
    found.qemu.netdevs["hostua-default"] = {}
    return found


def nic_of(found: Bench) -> Interface:
    return found.vmi.spec.domain.devices.interfaces[0]


async def apply(found: Bench) -> Report:
    return await nics.NICs().apply(found.update)


def condition(report: Report) -> tuple[str, str]:
    [told] = report.conditions
    assert told.type == "NetworkChange"
    return told.status, told.reason


async def test_a_nic_comes_and_its_addresses_are_remembered_first(empty: Bench) -> None:
    report = await apply(empty)
    assert (report.conditions, report.nics, report.again) == ((), {"default": "up"}, None)
    made = empty.qemu.devices["ua-default"]
    record = empty.update.record
    assert made["mac"] == record.pins.macs["default"]
    assert made["bus"] == record.pins.pci["ua-default"]
    assert made["netdev"] == "hostua-default"
    assert empty.qemu.netdevs["hostua-default"]["type"] == "user"
    assert empty.update.records.pins(empty.vmi.metadata.uid) == record.pins
    [progress] = empty.told[0].conditions
    assert (progress.status, progress.reason) == ("True", "InProgress")
    assert (await empty.reasons())[-1] == "InterfacePlugged"


async def test_what_is_as_it_should_be_is_left_alone(plugged: Bench) -> None:
    assert (await apply(plugged)).nics == {"default": "up"}
    assert plugged.qemu.commands("device_add", "device_del", "netdev_add", "netdev_del") == []
    assert plugged.told == []


async def test_links(plugged: Bench) -> None:
    nic_of(plugged).state = "down"
    assert (await apply(plugged)).nics == {"default": "down"}
    assert plugged.qemu.sent == [("set_link", {"name": "ua-default", "up": False})]
    assert plugged.update.record.links_down == ("ua-default",), "the next daemon and a launch cut short know it"
    assert (await plugged.reasons())[-1] == "InterfaceLinkChanged"
    nic_of(plugged).state = "up"
    await apply(plugged)
    assert plugged.qemu.sent[1:] == [("set_link", {"name": "ua-default", "up": True})]
    assert not plugged.update.record.links_down


async def test_a_nic_that_comes_without_a_link(empty: Bench) -> None:
    nic_of(empty).state = "down"
    assert (await apply(empty)).nics == {"default": "down"}
    assert empty.qemu.commands("device_add", "set_link")[:2] == ["device_add", "set_link"]


async def test_absent_is_unplugged_and_keeps_its_address(plugged: Bench) -> None:
    before = plugged.update.record.pins
    nic_of(plugged).state = "absent"
    report = await apply(plugged)
    assert (report.conditions, report.nics) == ((), {})
    assert (plugged.qemu.devices, plugged.qemu.netdevs) == ({}, {})
    now = plugged.update.record.pins
    assert "ua-default" not in now.pci
    assert now.macs == before.macs
    assert (await plugged.reasons())[-1] == "InterfaceUnplugged"
    plugged.vmi.spec.domain.devices.interfaces, plugged.vmi.spec.networks = [], []
    await apply(plugged)
    assert plugged.update.record.pins.macs == {}, "forgotten with the interface"


async def test_a_guest_that_keeps_it(plugged: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told, asked again, and clean once it goes by itself."""
    monkeypatch.setattr(plugging.unplug, "__kwdefaults__", {"timeout": 0.01})
    plugged.qemu.obedient = False
    nic_of(plugged).state = "absent"
    report = await apply(plugged)
    assert condition(report) == ("False", "UnplugTimeout")
    assert report.nics == {"default": "up"}, "shown for as long as it is there"
    assert report.again is not None and report.again <= 5
    assert "hostua-default" in plugged.qemu.netdevs
    assert (await plugged.reasons())[-1] == "UnplugTimeout"

    plugged.vmi.status.conditions = list(report.conditions)
    plugged.told.clear()
    told = len(await plugged.reasons())
    await apply(plugged)
    assert condition(plugged.told[0]) == ("False", "UnplugTimeout"), "what was refused stays told meanwhile"
    assert len(await plugged.reasons()) == told, "and is told once"

    plugged.qemu.let_go("ua-default")
    report = await apply(plugged)
    assert (report.conditions, report.nics, plugged.qemu.netdevs) == ((), {}, {})
    assert "ua-default" not in plugged.update.record.pins.pci


@pytest.mark.parametrize("step", ["netdev_add hostua-default", "device_add ua-default"])
async def test_qemu_refuses(empty: Bench, step: str) -> None:
    empty.qemu.refuse = {step: GuestError("no", reason="GenericError")}
    report = await apply(empty)
    assert condition(report) == ("False", "GenericError")
    assert "interface default: no" in report.conditions[0].message
    assert report.again == 30
    assert (report.nics, empty.qemu.netdevs, empty.qemu.devices) == ({}, {}, {})
    assert "ua-default" not in empty.update.record.pins.pci
    empty.qemu.refuse = {}
    assert (await apply(empty)).nics == {"default": "up"}


async def test_networks_that_are_not_here(empty: Bench) -> None:
    empty.vmi.spec.networks[0] = Network(name="default", multus=MultusNetwork("lan"))
    nic_of(empty).masquerade, nic_of(empty).bridge = None, Binding()
    report = await apply(empty)
    assert condition(report) == ("False", "NetworkMissing")
    assert 'network "default" is the attachment "lan", and no bridge of that name' in report.conditions[0].message
    assert empty.qemu.sent == []


async def test_models_that_need_a_bridge(empty: Bench) -> None:
    nic_of(empty).model = "e1000"
    report = await apply(empty)
    assert (condition(report), report.again) == (("False", "RestartRequired"), None)
    assert empty.qemu.sent == []


async def test_names_and_addresses_that_are_taken(plugged: Bench) -> None:
    mac = plugged.update.record.pins.macs["default"]
    more = Interface(name="more", masquerade=Binding(), mac_address=mac.upper())
    plugged.vmi.spec.domain.devices.interfaces.append(more)
    plugged.vmi.spec.networks.append(Network(name="more", pod=plugged.vmi.spec.networks[0].pod))
    report = await apply(plugged)
    assert condition(report) == ("False", "DuplicateMAC")
    assert f"MAC address {mac} is that of interface default" in report.conditions[0].message
    more.mac_address = ""
    plugged.qemu.devices["ua-more"] = {"driver": "virtio-blk-pci"}
    assert condition(await apply(plugged)) == ("False", "NameTaken")
    assert set(plugged.qemu.devices) == {"ua-default", "ua-more"}


async def test_no_free_port(empty: Bench) -> None:
    update = empty.update
    taken = {f"x{number}": f"pci.{number}" for number in range(1, 32)}
    await update.remember(lambda record: _with_places(record, taken))
    report = await apply(empty)
    assert condition(report) == ("False", "NoFreeSlot")
    assert empty.qemu.sent == []
    await update.remember(lambda record: _with_places(record, {}))
    assert (await apply(empty)).nics == {"default": "up"}


def _with_places(record: LaunchRecord, places: dict[str, str]) -> LaunchRecord:
    pins = msgspec.structs.replace(record.pins, pci=places)
    return msgspec.structs.replace(record, pins=pins)


async def test_what_a_dead_daemon_left(empty: Bench) -> None:
    """A backend whose device never came; one whose device went; a place that nothing has."""
    empty.qemu.netdevs = {"hostua-default": {}, "hostua-gone": {}, "somebodys": {}}
    await empty.update.remember(
        lambda record: msgspec.structs.replace(
            record,
            pins=msgspec.structs.replace(record.pins, macs={"gone": "02:00:00:00:00:09"}, pci={"ua-gone": "pci.3"}),
        )
    )
    assert (await apply(empty)).nics == {"default": "up"}
    assert set(empty.qemu.netdevs) == {"hostua-default", "somebodys"}
    pins = empty.update.record.pins
    assert set(pins.pci) == set(pins_devices(pins.macs)) == {"ua-default"}


def pins_devices(macs: dict[str, str]) -> list[str]:
    return [f"ua-{name}" for name in macs]


async def test_devices_of_others_are_not_ours(plugged: Bench) -> None:
    plugged.qemu.devices["mine"] = dict(VIRTIO)
    plugged.qemu.devices["ua-disk"] = {"driver": "virtio-blk-pci-non-transitional"}
    assert (await apply(plugged)).nics == {"default": "up"}
    assert plugged.qemu.asked == []


async def test_one_that_nobody_names_any_more_is_unplugged(plugged: Bench) -> None:
    plugged.vmi.spec.domain.devices.interfaces, plugged.vmi.spec.networks = [], []
    assert (await apply(plugged)).nics == {}
    assert plugged.qemu.asked == ["ua-default"]
