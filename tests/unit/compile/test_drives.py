"""What a disk comes to: bus, cache, access."""

from __future__ import annotations

import msgspec
import pytest

from solovirt.compile import drives
from solovirt.compile.drives import Drive
from solovirt.host.model.bindings import DiskImage
from solovirt.kit.errors import HostError, Invalid
from tests.unit.compile.helpers import context

DIRECT = DiskImage("/d", "raw", direct_io=True)
BUFFERED = DiskImage("/d", "raw")
READ_ONLY = DiskImage("/d", "raw", read_only=True, direct_io=True)


def drive(disk: str, source: str = "emptyDisk: {capacity: 1Gi}", image: DiskImage = DIRECT) -> Drive:
    text = f"domain: {{devices: {{disks: [{{name: a, {disk}}}]}}}}\nvolumes: [{{name: a, {source}}}]"
    return drives.resolve(context(text, volumes={"a": image}), 0)


def refused(disk: str, source: str = "emptyDisk: {capacity: 1Gi}", image: DiskImage = DIRECT) -> str:
    with pytest.raises(Invalid) as caught:
        drive(disk, source, image)
    cause = caught.value.causes[0]
    return f"{cause.field}: {cause.message}"


def test_defaults() -> None:
    found = drive("disk: {}")
    assert (found.bus, found.cdrom, found.read_only, found.device) == ("sata", False, False, "ua-a")
    assert found.source_path == "volumes[0].emptyDisk"
    assert found.bus_why.kind == "default"


@pytest.mark.parametrize("bus", drives.DISK_BUSES)
def test_disk_buses(bus: str) -> None:
    found = drive(f"disk: {{bus: {bus}}}")
    assert (found.bus, found.bus_why.path) == (bus, "domain.devices.disks[0].disk.bus")


def test_unknown_buses_are_refused() -> None:
    assert refused("disk: {bus: ide}").startswith('domain.devices.disks[0].disk.bus: bus "ide" is not supported')
    assert refused("cdrom: {bus: virtio}").startswith('domain.devices.disks[0].cdrom.bus: bus "virtio" is not')


def test_a_lun_of_no_bus_is_on_the_scsi_controller() -> None:
    device = msgspec.structs.replace(DIRECT, block_device=True)
    for given in ("{}", "{bus: sata}", "{bus: scsi}"):
        found = drive(f"lun: {given}", image=device)
        assert (found.kind, found.bus) == ("lun", "scsi")
    assert "not supported for a lun" in refused("lun: {bus: virtio}", image=device)


def test_qemu_answers_for_a_lun_on_a_file() -> None:
    found = drive("lun: {}")
    assert (found.kind, found.bus, found.bus_why.kind) == ("disk", "scsi", "host")
    assert "takes no SCSI commands" in found.bus_why.text
    assert drive("lun: {readonly: true}").read_only
    assert refused("lun: {bus: scsi, reservation: true}").startswith("domain.devices.disks[0].lun.reservation")


def test_a_disk_is_one_thing() -> None:
    assert "single target type" in refused("disk: {}, cdrom: {}")
    assert "single target type" in refused("disk: {}, lun: {}")


@pytest.mark.parametrize(
    ("asked", "image", "mode"),
    [
        ("", DIRECT, "none"),
        ("", BUFFERED, "writethrough"),
        ("", DiskImage("/d", "qcow2", direct_io=True, backing=BUFFERED), "writethrough"),
        ("", DiskImage("/d", "qcow2", direct_io=True, backing=DIRECT), "none"),
        ("none", DIRECT, "none"),
        ("writethrough", DIRECT, "writethrough"),
        ("writeback", BUFFERED, "writeback"),
    ],
)
def test_cache(asked: str, image: DiskImage, mode: str) -> None:
    found = drive(f'disk: {{}}, cache: "{asked}"', image=image)
    assert (found.cache, found.direct) == (mode, mode == "none")
    assert found.cache_why.kind == ("manifest" if asked else "host")


def test_impossible_caches() -> None:
    assert "needs O_DIRECT" in refused("disk: {}, cache: none", image=BUFFERED)
    assert 'cache mode "unsafe" is unknown' in refused("disk: {}, cache: unsafe")


def test_read_only() -> None:
    assert drive("cdrom: {}").read_only
    assert drive("cdrom: {readonly: false}").read_only
    assert drive("disk: {bus: virtio, readonly: true}").read_only
    assert drive("disk: {bus: scsi}", image=READ_ONLY).read_only
    assert not drive("disk: {bus: virtio, readonly: false}").read_only


def test_sata_disks_are_writable() -> None:
    claim = "persistentVolumeClaim: {claimName: c}"
    assert refused("disk: {bus: sata, readonly: true}").startswith("domain.devices.disks[0].disk.readonly")
    assert refused("disk: {bus: sata}", claim, READ_ONLY).startswith("domain.devices.disks[0].disk.bus")
    seed = drive("disk: {bus: sata}", 'cloudInitNoCloud: {userData: "x"}', READ_ONLY)
    assert not seed.read_only and "made anew" in seed.read_only_why.text


def test_volumes_must_exist_and_be_resolved() -> None:
    text = "domain: {devices: {disks: [{name: a, disk: {}}]}}\nvolumes: []"
    with pytest.raises(Invalid, match='there is no volume "a"'):
        drives.resolve(context(text), 0)
    ctx = context(text.replace("[]", "[{name: a, emptyDisk: {capacity: 1Gi}}]"))
    ctx.bindings.volumes.clear()
    with pytest.raises(HostError, match="has not been resolved"):
        drives.resolve(ctx, 0)


def test_metrics_with_native_io_go_without_a_cache() -> None:
    """The host writes through its own cache either way; QEMU has native I/O for none alone."""
    shown = {io: drive(f"io: {io}, disk: {{bus: virtio}}", "downwardMetrics: {}") for io in ("threads", "native")}
    assert {io: one.cache for io, one in shown.items()} == {"threads": "writethrough", "native": "none"}
