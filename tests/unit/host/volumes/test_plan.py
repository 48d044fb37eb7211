from __future__ import annotations

import os
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.devices import Filesystem, VirtioFS
from solovirt.api.kubevirt.spec.disks import BlockSize, Disk, MatchVolume
from solovirt.api.kubevirt.spec.firmware import Firmware, KernelBoot, KernelBootContainer
from solovirt.api.kubevirt.spec.sources import (
    ClaimSource,
    CloudInitSource,
    ContainerDiskSource,
    DataVolumeSource,
    DownwardMetricsSource,
    EmptyDiskSource,
    EphemeralClaim,
    EphemeralSource,
    HostDiskSource,
    LocalObjectReference,
    MemoryDumpSource,
    SysprepSource,
    Volume,
)
from solovirt.host.model.bindings import BlockSizes
from solovirt.host.volumes.plan import plan, plan_kernel
from solovirt.kit.errors import Invalid
from solovirt.kit.paths import Paths
from tests.unit.host.volumes.fakes import vmi


def test_the_same_places_as_prepare_without_touching_anything(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "run")
    found = plan(
        vmi(
            Volume(name="root", container_disk=ContainerDiskSource(image="quay.io/a")),
            Volume(name="scratch", empty_disk=EmptyDiskSource(capacity="1000")),
            Volume(name="data", persistent_volume_claim=ClaimSource(claim_name="c", read_only=True)),
            Volume(name="dv", data_volume=DataVolumeSource(name="d")),
            Volume(name="seed", cloud_init_config_drive=CloudInitSource(user_data="x")),
            Volume(name="host", host_disk=HostDiskSource(path="/dev/sdz", type="Disk")),
        ),
        paths,
    )
    state = paths.state
    assert {name: (b.source, b.image.path, b.image.format) for name, b in found.items()} == {
        "root": ("containerDisk", f"{state}/instances/u-1/root.qcow2", "qcow2"),
        "scratch": ("emptyDisk", f"{state}/instances/u-1/scratch.qcow2", "qcow2"),
        "data": ("persistentVolumeClaim", f"{state}/volumes/default/c/disk.qcow2", "qcow2"),
        "dv": ("dataVolume", f"{state}/volumes/default/d/disk.qcow2", "qcow2"),
        "seed": ("cloudInitConfigDrive", f"{state}/instances/u-1/seed.iso", "raw"),
        "host": ("hostDisk", "/dev/sdz", "raw"),
    }
    assert found["root"].image.backing is not None
    assert found["data"].image.read_only
    assert found["host"].image.block_device
    assert found["scratch"].image.size == 1024
    assert all("assumed without looking" in binding.note for binding in found.values())
    assert os.listdir(tmp_path) == []


def test_without_a_uid_the_name_stands_in(tmp_path: Path) -> None:
    machine = vmi(Volume(name="e", empty_disk=EmptyDiskSource(capacity="1Gi")), uid="")
    assert plan(machine, Paths(Path("/s"), Path("/r")))["e"].image.path == "/s/instances/vm/e.qcow2"


def test_kernel() -> None:
    paths = Paths(Path("/s"), Path("/r"))
    machine = vmi()
    assert plan_kernel(machine, paths) is None
    boot = KernelBootContainer(image="a", kernel_path="/boot/vmlinuz")
    machine.spec.domain.firmware = Firmware(kernel_boot=KernelBoot(container=boot))
    found = plan_kernel(machine, paths)
    assert found is not None
    assert (found.kernel, found.initrd) == ("/s/images/blobs/sha256/vmlinuz", "")


@pytest.mark.parametrize(
    "volume",
    [
        Volume(name="a"),
        Volume(name="../a", empty_disk=EmptyDiskSource(capacity="1Gi")),
        Volume(name="a", empty_disk=EmptyDiskSource(capacity="much")),
        Volume(name="a", persistent_volume_claim=ClaimSource(claim_name="../../etc")),
    ],
)
def test_refuses_what_prepare_refuses(volume: Volume) -> None:
    with pytest.raises(Invalid):
        plan(vmi(volume), Paths(Path("/s"), Path("/r")))


def test_what_is_made_for_one_start(tmp_path: Path) -> None:
    """Overlays of claims, figures, matching blocks; what is no disk is left out."""
    machine = vmi(
        Volume(name="top", ephemeral=EphemeralSource(EphemeralClaim(claim_name="c"))),
        Volume(name="figures", downward_metrics=DownwardMetricsSource()),
        Volume(name="answers", sysprep=SysprepSource(secret=LocalObjectReference(name="s"))),
        Volume(name="shared", persistent_volume_claim=ClaimSource(claim_name="c")),
        Volume(name="dump", memory_dump=MemoryDumpSource(claim_name="c")),
    )
    devices = machine.spec.domain.devices
    devices.filesystems = [Filesystem(name="shared", virtiofs=VirtioFS())]
    devices.disks = [Disk(name="top", block_size=BlockSize(match_volume=MatchVolume()))]
    found = plan(machine, Paths(Path("/s"), Path("/r")))
    assert sorted(found) == ["answers", "figures", "top"]
    top = found["top"].image
    assert (top.path, top.read_only, top.blocks) == ("/s/instances/u-1/top.qcow2", False, BlockSizes(4096, 4096, 4096))
    assert top.backing is not None
    assert (top.backing.path, top.backing.read_only) == ("/s/volumes/default/c/disk.qcow2", True)
    assert "blocks of 4096 bytes too" in found["top"].note
    figures = found["figures"].image
    assert (figures.path, figures.size, figures.blocks) == ("/s/instances/u-1/figures.vhostmd", 256 << 10, None)
    assert found["answers"].image.path == "/s/instances/u-1/answers.iso"


def test_a_kernel_without_a_container() -> None:
    machine = vmi()
    machine.spec.domain.firmware = Firmware(kernel_boot=KernelBoot(kernel_args="quiet"))
    assert plan_kernel(machine, Paths(Path("/s"), Path("/r"))) is None


def test_a_shared_claim_is_taken_for_raw(tmp_path: Path) -> None:
    machine = vmi(Volume(name="data", persistent_volume_claim=ClaimSource(claim_name="c")))
    machine.spec.domain.devices.disks = [Disk(name="data", shareable=True)]
    binding = plan(machine, Paths(tmp_path / "state", tmp_path / "run"))["data"]
    assert binding.image.format == "raw"
    assert "a claim of qcow2 is refused at the start" in binding.note
