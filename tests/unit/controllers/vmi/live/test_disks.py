"""Disks that come and go, over a real store and a machine that answers as QEMU does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
import yaml

from solovirt.api.kubevirt.live.storage import claim_name
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance, VolumeStatus
from solovirt.compile import render
from solovirt.compile.configurators import controllers, ports
from solovirt.controllers.vmi.live.concern import Report, Update
from solovirt.controllers.vmi.live.disks import Disks
from solovirt.controllers.vmi.lookup import Missing
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.host.model.bindings import DiskImage, Pins, VolumeBinding
from solovirt.kit.errors import GuestError, HostError
from tests.unit.compile.helpers import context
from tests.unit.controllers.lab import VMIS, Lab, lone_vmi
from tests.unit.controllers.vmi.live.fakeqemu import FakeQemu

FAST = "{name: fast, disk: {bus: virtio}}", "{name: fast, persistentVolumeClaim: {claimName: c1, hotpluggable: true}}"
SLOW = "{name: slow, disk: {bus: scsi}}", "{name: slow, dataVolume: {name: c2, hotpluggable: true}}"
CD = "{name: cd, cdrom: {bus: sata, tray: closed}}"
MEDIUM = "{name: cd, persistentVolumeClaim: {claimName: iso, hotpluggable: true}}"


class FakeLauncher:
    def __init__(self, claims: Path) -> None:
        self.claims = claims
        self.missing: set[str] = set()
        self.failure: HostError | None = None
        self.closed: set[str] = set()
        self.paths: set[str] = set()

    def waits_for(self, vmi: VirtualMachineInstance, name: str) -> list[Missing]:
        return [Missing("FailedPvcNotFound", f"no {name}", True)] if name in self.missing else []

    async def prepare_volume(self, vmi: VirtualMachineInstance, name: str) -> VolumeBinding:
        if self.failure is not None:
            raise self.failure
        volume = next(one for one in vmi.spec.volumes if one.name == name)
        image = DiskImage(path=str(self.claims / "default" / claim_name(volume)), format="qcow2", size=1 << 20)
        return VolumeBinding(name, volume.sources()[0], image)

    async def close_volumes(self, vmi: VirtualMachineInstance, paths: Iterable[str]) -> None:
        self.closed |= set(paths)

    def opened(self, uid: str) -> set[str]:
        return self.paths


class Bench:
    """One machine; ``look`` is one job of the concern with the given spec."""

    def __init__(self, lab: Lab, vmi: VirtualMachineInstance) -> None:
        self.lab, self.vmi = lab, vmi
        self.qemu = FakeQemu()
        self.launcher = FakeLauncher(Path("/claims"))
        self.told: list[Report] = []

    async def look(self, *pairs: tuple[str, str], drive: bool = False, medium: str = "", tray: str = "") -> Report:
        disks = [disk for disk, _ in pairs] + ([CD.replace("closed", tray or "closed")] if drive else [])
        volumes = [volume for _, volume in pairs] + ([medium] if medium else [])
        text = f"{{domain: {{devices: {{disks: [{', '.join(disks)}]}}}}, volumes: [{', '.join(volumes)}]}}"
        self.vmi.spec = msgspec.convert(yaml.safe_load(text), VirtualMachineInstanceSpec)
        self.vmi.spec.domain.memory = lone_vmi().spec.domain.memory
        return await Disks(self.launcher).apply(self.update)  # type: ignore[arg-type]

    @property
    def update(self) -> Update:
        manager = self.lab.manager
        return Update(manager._site, manager._vmis.records, self.vmi, self.qemu.instance, self.told.append)

    @property
    def record(self) -> LaunchRecord:
        return self.update.record

    def before(self, name: str, phase: str, reason: str = "") -> None:
        """What the status said when the look began."""
        self.vmi.status.volume_status = [VolumeStatus(name=name, phase=phase, reason=reason)]


@pytest.fixture
async def bench(lab: Lab) -> Bench:
    await lab.objects.create(VMIS, lone_vmi())
    await lab.settle()
    made = Bench(lab, lab.vmi("lone"))
    ctx = context("{domain: {devices: {}}}")
    argv = ["qemu"]
    for option in (*ports.options(ctx), *controllers.options(ctx)):
        argv += [option.flag, *render.value(option)]
    await made.update.remember(lambda record: msgspec.structs.replace(record, argv=tuple(argv), pins=Pins(), sizes={}))
    return made


async def test_disks_come_and_go(bench: Bench) -> None:
    await bench.look(FAST, SLOW)
    assert set(bench.qemu.devices) == {"ua-fast", "ua-slow"}
    assert bench.qemu.plugged("ua-fast")["driver"] == "virtio-blk-pci-non-transitional"
    assert bench.qemu.plugged("ua-slow")["bus"] == "scsi0.0"
    assert bench.record.sizes == {"fast": 1 << 20, "slow": 1 << 20}
    assert bench.record.pins.pci["ua-slow"] == "scsi0.0/0"
    assert "bootindex" not in bench.qemu.plugged("ua-fast")
    report = await bench.look()
    assert (bench.qemu.devices, bench.qemu.nodes) == ({}, {})
    assert (bench.record.sizes, bench.record.pins.pci) == ({}, {})
    assert report == Report()


async def test_a_look_at_what_is_right_changes_nothing(bench: Bench) -> None:
    await bench.look(FAST, SLOW)
    bench.qemu.commands.clear()
    assert await bench.look(FAST, SLOW) == Report()
    assert not [word for word in bench.qemu.commands if not word.startswith(("query", "qom"))]


async def test_another_claim_comes_in_its_place(bench: Bench) -> None:
    await bench.look(FAST)
    await bench.look((FAST[0], FAST[1].replace("c1", "c9")))
    assert bench.qemu.nodes["fast-0-storage"]["filename"] == "/claims/default/c9"
    await bench.look((FAST[0].replace("virtio", "scsi"), FAST[1].replace("c1", "c9")))
    assert bench.qemu.plugged("ua-fast")["driver"] == "scsi-hd"


async def test_it_waits_for_its_claim_and_holds_up_no_other(bench: Bench) -> None:
    bench.launcher.missing = {"fast"}
    report = await bench.look(FAST, SLOW)
    assert set(bench.qemu.devices) == {"ua-slow"}
    found = report.volumes["fast"]
    assert (found.phase, found.reason, found.message) == ("Pending", "FailedPvcNotFound", "no fast")
    assert report.again is not None and not report.conditions
    bench.launcher.missing = set()
    assert await bench.look(FAST, SLOW) == Report()
    assert set(bench.qemu.devices) == {"ua-slow", "ua-fast"}


async def test_a_file_that_another_has_open(bench: Bench) -> None:
    bench.qemu.fails["blockdev-add"] = GuestError('Failed to get "write" lock', reason="GenericError")
    report = await bench.look(FAST)
    assert [(one.status, one.reason) for one in report.conditions] == [("False", "VolumeInUse")]
    assert report.volumes["fast"].phase == "Pending" and bench.qemu.nodes == {}
    assert report.volumes["fast"].message == "another program has its disk open"
    del bench.qemu.fails["blockdev-add"]
    assert await bench.look(FAST) == Report()


async def test_a_device_that_qemu_refuses_leaves_nothing(bench: Bench) -> None:
    bench.qemu.fails["device_add"] = GuestError("no such bus", reason="GenericError")
    report = await bench.look(SLOW)
    assert report.conditions[0].message == "slow: no such bus"
    assert (bench.qemu.nodes, bench.record.sizes) == ({}, {})


async def test_a_disk_that_cannot_be_prepared(bench: Bench) -> None:
    bench.launcher.failure = HostError("the disk is full", reason="StorageFull")
    report = await bench.look(FAST)
    assert report.conditions[0].reason == "StorageFull"


async def test_a_guest_that_keeps_its_disk(bench: Bench) -> None:
    await bench.look(FAST)
    bench.qemu.keeps = True
    report = await bench.look()
    assert report.volumes["fast"].phase == "Detaching" and report.again is not None
    assert report.conditions[0].reason == "UnplugRefused"
    assert bench.record.sizes == {"fast": 1 << 20} and "ua-fast" in bench.record.pins.pci
    bench.qemu.keeps = False
    assert await bench.look() == Report()
    assert bench.record.pins.pci == {}


async def test_wanted_again_while_it_leaves(bench: Bench) -> None:
    """The guest may let it go any time: that is waited for, and it is plugged once more."""
    await bench.look(FAST)
    bench.before("fast", "Detaching")
    await bench.look(FAST)
    assert bench.qemu.commands.count("device_add") == 2 and set(bench.qemu.devices) == {"ua-fast"}


async def test_what_a_dead_daemon_left_is_finished_or_undone(bench: Bench) -> None:
    await bench.look(FAST, SLOW)
    # Before it remembered that it was done.
    await bench.update.remember(lambda record: msgspec.structs.replace(record, sizes={}))
    del bench.qemu.devices["ua-slow"]
    await bench.look(FAST)
    assert set(bench.qemu.nodes) == {"fast-0-format", "fast-0-storage"}
    assert bench.record.sizes == {"fast": 1 << 20}
    assert "ua-slow" not in bench.record.pins.pci
    # Nodes without their device: from the beginning.
    del bench.qemu.devices["ua-fast"]
    await bench.look(FAST)
    assert set(bench.qemu.devices) == {"ua-fast"}


async def test_files_are_closed_to_the_machine(bench: Bench) -> None:
    root = str(bench.lab.paths.volumes)
    bench.launcher.paths = {f"{root}/default/old/disk.qcow2", "/dev/vhost-net"}
    await bench.look()
    assert bench.launcher.closed == {f"{root}/default/old/disk.qcow2"}


async def test_media(bench: Bench) -> None:
    bench.qemu.drive("ua-cd")
    await bench.look(drive=True, medium=MEDIUM)
    assert bench.qemu.media == {"ua-cd": "cd-0-format"} and not bench.qemu.open_trays
    assert "cd" in bench.record.sizes
    await bench.look(drive=True, medium=MEDIUM.replace("iso", "other"))
    assert bench.qemu.nodes["cd-0-storage"]["filename"] == "/claims/default/other"
    await bench.look(drive=True)
    assert (bench.qemu.media, bench.qemu.nodes) == ({"ua-cd": ""}, {})
    assert not bench.qemu.open_trays and "cd" not in bench.record.sizes


async def test_a_tray_that_is_to_be_open(bench: Bench) -> None:
    bench.qemu.drive("ua-cd")
    await bench.look(drive=True, medium=MEDIUM, tray="open")
    assert (bench.qemu.media, bench.qemu.open_trays) == ({"ua-cd": ""}, {"ua-cd"})
    await bench.look(drive=True, medium=MEDIUM)
    assert (bench.qemu.media, bench.qemu.open_trays) == ({"ua-cd": "cd-0-format"}, set())


async def test_an_insertion_that_was_cut_short(bench: Bench) -> None:
    bench.qemu.drive("ua-cd")
    await bench.look(drive=True, medium=MEDIUM)
    # The tray was still open when the daemon died.
    bench.qemu.open_trays.add("ua-cd")
    await bench.update.remember(lambda record: msgspec.structs.replace(record, sizes={}))
    await bench.look(drive=True, medium=MEDIUM)
    assert not bench.qemu.open_trays and "cd" in bench.record.sizes
    # One that the guest opened is the guest's.
    bench.qemu.open_trays.add("ua-cd")
    await bench.look(drive=True, medium=MEDIUM)
    assert bench.qemu.open_trays == {"ua-cd"}
