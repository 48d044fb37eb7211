"""Keys of disks that do not depend on their place."""

from __future__ import annotations

import pytest

from solovirt.compile import diskprops, drives
from solovirt.compile.drives import Drive
from solovirt.compile.options import Prop
from solovirt.host.model.bindings import BlockSizes, DiskImage
from solovirt.kit.errors import HostError, Invalid
from tests.unit.compile.helpers import context

FILE = DiskImage("/d", "raw", direct_io=True)
DEVICE = DiskImage("/dev/d", "raw", direct_io=True, block_device=True, blocks=BlockSizes(512, 4096, 65536))


def drive(disk: str, image: DiskImage = FILE) -> Drive:
    text = f"domain: {{devices: {{disks: [{{name: a, {disk}}}]}}}}\nvolumes: [{{name: a, emptyDisk: {{capacity: 1}}}}]"
    return drives.resolve(context(text, volumes={"a": image}), 0)


def shown(props: list[Prop]) -> dict[str, object]:
    return {prop.key: prop.value for prop in props}


@pytest.mark.parametrize(
    ("policy", "errors"),
    [
        ("", {"werror": "stop", "rerror": "stop"}),
        ("stop", {"werror": "stop", "rerror": "stop"}),
        ("ignore", {"werror": "ignore", "rerror": "ignore"}),
        ("report", {"werror": "report", "rerror": "report"}),
        ("enospace", {"werror": "enospc"}),
    ],
)
def test_error_policies(policy: str, errors: dict[str, object]) -> None:
    found = diskprops.behaviour(drive(f'disk: {{bus: virtio}}, errorPolicy: "{policy}"'))
    assert shown(found) == {"write-cache": "on", **errors}
    assert found[-1].why.kind == ("manifest" if policy else "default")


def test_an_unknown_error_policy() -> None:
    with pytest.raises(Invalid, match='errorPolicy "retry" is unknown'):
        diskprops.behaviour(drive("disk: {bus: virtio}, errorPolicy: retry"))


def test_a_lun_is_its_device() -> None:
    lun = drive("lun: {bus: scsi}, serial: S, blockSize: {custom: {logical: 512, physical: 512}}", DEVICE)
    assert diskprops.identity(lun) == [] and diskprops.block_sizes(lun) == []
    assert "write-cache" not in shown(diskprops.behaviour(lun))


def test_sharing() -> None:
    assert shown(diskprops.sharing(drive("disk: {bus: virtio}, shareable: true"))) == {"share-rw": True}
    assert diskprops.sharing(drive("cdrom: {}, shareable: true")) == []
    assert diskprops.sharing(drive("disk: {bus: virtio}")) == []


CUSTOM = "blockSize: {custom: {logical: 4096, physical: 8192, discardGranularity: 16384}}"
MATCH = "blockSize: {matchVolume: {}}"


def test_block_sizes() -> None:
    assert shown(diskprops.block_sizes(drive(f"disk: {{bus: virtio}}, {CUSTOM}"))) == {
        "logical_block_size": 4096,
        "physical_block_size": 8192,
        "discard_granularity": 16384,
    }
    assert shown(diskprops.block_sizes(drive(f"disk: {{bus: scsi}}, {MATCH}", DEVICE))) == {
        "logical_block_size": 512,
        "physical_block_size": 4096,
        "discard_granularity": 65536,
    }
    on_sata = shown(diskprops.block_sizes(drive(f"disk: {{bus: sata}}, {MATCH}", DEVICE)))
    assert on_sata["discard_granularity"] == 512, "QEMU takes nothing else there"
    off = "disk: {bus: scsi}, blockSize: {matchVolume: {enabled: false}}"
    assert diskprops.block_sizes(drive(off, DEVICE)) == []


def test_impossible_block_sizes() -> None:
    with pytest.raises(Invalid, match="Logical size 4096 must be 512 for SATA devices"):
        diskprops.block_sizes(drive(f"disk: {{bus: sata}}, {CUSTOM}"))
    with pytest.raises(HostError, match="have not been resolved"):
        diskprops.block_sizes(drive(f"disk: {{bus: virtio}}, {MATCH}"))
    empty = context(f"domain: {{devices: {{disks: [{{name: a, cdrom: {{}}, {MATCH}}}]}}}}")
    with pytest.raises(Invalid, match="no block sizes to match"):
        diskprops.block_sizes(drives.resolve(empty, 0))
