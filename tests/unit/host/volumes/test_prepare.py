from __future__ import annotations

import asyncio
import base64
import errno
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from solovirt.api.kubevirt.spec.devices import Filesystem, VirtioFS
from solovirt.api.kubevirt.spec.firmware import Firmware, KernelBoot, KernelBootContainer
from solovirt.api.kubevirt.spec.sources import (
    ClaimSource,
    CloudInitSource,
    ConfigMapSource,
    ContainerDiskSource,
    DataVolumeSource,
    DownwardAPIFile,
    DownwardAPISource,
    DownwardMetricsSource,
    EmptyDiskSource,
    EphemeralClaim,
    EphemeralSource,
    FieldReference,
    HostDiskSource,
    LocalObjectReference,
    MemoryDumpSource,
    SysprepSource,
    Volume,
)
from solovirt.host.images import files, pull
from solovirt.host.images.store import ImageStore
from solovirt.host.images.tools import Completed
from solovirt.host.volumes.claims import Claims
from solovirt.host.volumes.prepare import Context, Volumes
from solovirt.kit import json
from solovirt.kit.errors import HostError, Invalid, NotFound
from solovirt.kit.paths import Paths
from tests.unit.host.images.fakes import MIB, Registry, qcow2, raw_disk, tar
from tests.unit.host.volumes.fakes import Objects, QemuImg, fake_qemu_img, vmi

PAIR = base64.b64encode(b"joe:x").decode()


@dataclass
class House:
    paths: Paths
    images: ImageStore
    claims: Claims
    volumes: Volumes
    registry: Registry
    objects: Objects
    img: QemuImg

    @property
    def context(self) -> Context:
        return Context(self.objects, uuid="11111111-2222-3333-4444-555555555555")

    @property
    def instance(self) -> Path:
        return self.paths.instance("u-1")


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    registry = Registry()
    monkeypatch.setattr(pull, "Skopeo", registry.skopeo)
    paths = Paths(tmp_path / "state", tmp_path / "run")
    images = ImageStore(paths.images, environ={})
    await images.open()
    claims = Claims(paths.volumes)
    registry.push("quay.io/a:latest", tar(("disk/a", raw_disk()), ("opt/vmlinuz", b"kernel"), ("opt/initrd", b"rd")))
    yield House(paths, images, claims, Volumes(paths, images, claims), registry, Objects(), fake_qemu_img(monkeypatch))
    await images.close()


def container_disk(name: str = "root", **fields: str) -> Volume:
    return Volume(name=name, container_disk=ContainerDiskSource(**{"image": "quay.io/a", **fields}))


async def test_every_kind_at_once(house: House) -> None:
    await house.claims.create("default", "data", 8 * MIB)
    await house.claims.create("default", "dv", 8 * MIB)
    house.objects.claims |= {"default/data", "default/dv"}
    house.objects.config_maps["default/c"] = {"k": b"v"}
    host_disk = house.paths.state.resolve() / "host.img"
    found = await house.volumes.prepare(
        vmi(
            container_disk(),
            Volume(name="scratch", empty_disk=EmptyDiskSource(capacity="4Mi")),
            Volume(name="data", persistent_volume_claim=ClaimSource(claim_name="data", read_only=True)),
            Volume(name="dv", data_volume=DataVolumeSource(name="dv")),
            Volume(name="seed", cloud_init_no_cloud=CloudInitSource(user_data="#!/bin/sh")),
            Volume(name="conf", config_map=ConfigMapSource(name="c")),
            Volume(name="host", host_disk=HostDiskSource(path=str(host_disk), type="DiskOrCreate", capacity="1Mi")),
        ),
        house.context,
    )
    shown = {name: (b.source, b.image.format, b.image.read_only, b.image.size) for name, b in found.items()}
    seeds = {name: (house.instance / f"{name}.iso").stat().st_size for name in ("seed", "conf")}
    assert shown == {
        "root": ("containerDisk", "qcow2", False, MIB),
        "scratch": ("emptyDisk", "qcow2", False, 4 * MIB),
        "data": ("persistentVolumeClaim", "qcow2", True, 8 * MIB),
        "dv": ("dataVolume", "qcow2", False, 8 * MIB),
        "seed": ("cloudInitNoCloud", "raw", False, seeds["seed"]),
        "conf": ("configMap", "raw", False, seeds["conf"]),
        "host": ("hostDisk", "raw", False, MIB),
    }
    assert all(Path(b.image.path).is_file() for b in found.values())
    assert sorted(os.listdir(house.instance)) == ["conf.iso", "root.qcow2", "scratch.qcow2", "seed.iso"]
    assert found["root"].image.backing is not None
    assert "quay.io/a (sha256:" in found["root"].note


async def test_again_after_a_crash_gives_the_same_and_changes_nothing(house: House) -> None:
    machine = vmi(
        container_disk(),
        Volume(name="scratch", empty_disk=EmptyDiskSource(capacity="4Mi")),
        Volume(name="seed", cloud_init_no_cloud=CloudInitSource(user_data="x")),
    )
    first = await house.volumes.prepare(machine, house.context)
    inodes = {path.name: path.stat().st_ino for path in house.instance.iterdir()}
    (house.instance / "root.qcow2.partial").write_bytes(b"half")
    house.registry.push("quay.io/a:latest", tar(("disk/a", raw_disk(b"newer"))))
    again = await house.volumes.prepare(machine, house.context)
    assert again["scratch"] == first["scratch"]
    assert again["seed"] == first["seed"]
    assert again["root"].image == first["root"].image
    assert {name: (house.instance / name).stat().st_ino for name in inodes} == inodes


async def test_discard(house: House) -> None:
    await house.volumes.prepare(vmi(container_disk()), house.context)
    await house.volumes.discard("u-1")
    await house.volumes.discard("u-1")
    assert not house.instance.exists()
    for wrong in ("", "..", "../volumes", "a/b", "."):
        with pytest.raises(ValueError, match="not a uid"):
            await house.volumes.discard(wrong)


async def test_a_new_start_gets_a_fresh_overlay(house: House) -> None:
    first = await house.volumes.prepare(vmi(container_disk()), house.context)
    second = await house.volumes.prepare(vmi(container_disk(), uid="u-2"), house.context)
    assert first["root"].image.path != second["root"].image.path
    assert first["root"].image.backing == second["root"].image.backing


async def test_kernel_and_disk_share_one_pull(house: House) -> None:
    machine = vmi(container_disk())
    boot = KernelBootContainer(image="quay.io/a", kernel_path="/opt/vmlinuz", initrd_path="/opt/initrd")
    machine.spec.domain.firmware = Firmware(kernel_boot=KernelBoot(container=boot))
    _, kernel = await asyncio.gather(
        house.volumes.prepare(machine, house.context), house.volumes.prepare_kernel(machine, house.context)
    )
    assert kernel is not None
    assert Path(kernel.kernel).read_bytes() == b"kernel"
    assert Path(kernel.initrd).read_bytes() == b"rd"
    assert sum(request.startswith("copy") for request in house.registry.requests) == 1


@pytest.mark.parametrize(
    ("boot", "field"),
    [
        (KernelBootContainer(image="quay.io/a"), "kernelBoot.container"),
        (KernelBootContainer(image="quay.io/a", kernel_path="/opt/none"), "container.kernelPath"),
        (KernelBootContainer(image="quay.io/a", initrd_path="/opt/none"), "container.initrdPath"),
        (KernelBootContainer(image="quay.io/a", kernel_path="/opt/../etc/x"), "container.image"),
        (KernelBootContainer(image="UPPER/../x", kernel_path="/k"), "container.image"),
    ],
)
async def test_wrong_kernels(house: House, boot: KernelBootContainer, field: str) -> None:
    machine = vmi()
    machine.spec.domain.firmware = Firmware(kernel_boot=KernelBoot(container=boot))
    with pytest.raises((HostError, Invalid)) as caught:
        await house.volumes.prepare_kernel(machine, house.context)
    assert caught.value.field.endswith(field)


async def test_no_kernel(house: House) -> None:
    assert await house.volumes.prepare_kernel(vmi(), house.context) is None
    assert await house.volumes.prepare(vmi(), house.context) == {}


async def test_pull_secret(house: House) -> None:
    config = json.encode({"auths": {"quay.io": {"auth": PAIR}}})
    house.objects.secrets["default/regcred"] = {".dockerconfigjson": config}
    await house.volumes.prepare(vmi(container_disk(image_pull_secret="regcred")), house.context)
    assert house.registry.seen_credentials[0] is not None
    assert PAIR.encode() in house.registry.seen_credentials[0].auth_file


async def test_a_missing_pull_secret_is_told_when_the_pull_fails(house: House) -> None:
    machine = vmi(container_disk(image_pull_secret="none"))
    await house.volumes.prepare(machine, house.context)
    house.registry.reachable = False
    with pytest.raises(HostError) as caught:
        await house.volumes.prepare(machine, house.context)
    assert caught.value.reason == "ErrImagePull"
    assert 'imagePullSecret "none" does not exist' in caught.value.hint
    assert caught.value.field == "spec.volumes[0].containerDisk.image"


async def test_all_errors_at_once(house: House) -> None:
    with pytest.raises(HostError) as caught:
        await house.volumes.prepare(
            vmi(
                Volume(name="a", persistent_volume_claim=ClaimSource(claim_name="none")),
                Volume(name="b", config_map=ConfigMapSource(name="none")),
                container_disk("c", path="/disk/none"),
            ),
            house.context,
        )
    fields = [cause.field for cause in caught.value.causes]
    assert fields == [
        "spec.volumes[0].persistentVolumeClaim.claimName",
        "spec.volumes[1].configMap",
        "spec.volumes[2].containerDisk.path",
    ]
    assert 'persistentvolumeclaims "none" not found' in caught.value.message


async def test_an_error_does_not_wait_for_a_long_pull(house: House) -> None:
    house.registry.before_copy = asyncio.Event().wait
    started = time.monotonic()
    with pytest.raises(NotFound, match='configmap "none" not found'):
        await house.volumes.prepare(
            vmi(container_disk(), Volume(name="b", config_map=ConfigMapSource(name="none"))), house.context
        )
    assert time.monotonic() - started < 30


async def test_single_errors_keep_their_kind(house: House) -> None:
    house.objects.claims.add("default/pending")
    for volume, kind, reason in (
        (Volume(name="a", persistent_volume_claim=ClaimSource(claim_name="none")), NotFound, "NotFound"),
        (Volume(name="a", data_volume=DataVolumeSource(name="pending")), HostError, "VolumeNotFound"),
        (Volume(name="a", empty_disk=EmptyDiskSource(capacity="0")), Invalid, "Invalid"),
        (Volume(name="a", empty_disk=EmptyDiskSource(capacity="x")), Invalid, "Invalid"),
        (Volume(name="a"), Invalid, "Invalid"),
        (Volume(name="../../a", empty_disk=EmptyDiskSource(capacity="1Mi")), Invalid, "Invalid"),
    ):
        with pytest.raises(kind) as caught:
            await house.volumes.prepare(vmi(volume), house.context)
        assert caught.value.reason == reason


async def test_hostile_images_are_refused_before_qemu_img_sees_them(house: House) -> None:
    house.registry.push("quay.io/a:latest", tar(("disk/a", qcow2(backing=b"/etc/shadow"))))
    with pytest.raises(HostError, match="backing file"):
        await house.volumes.prepare(vmi(container_disk()), house.context)
    assert house.img.runs == []


async def test_prefix_is_the_callers(house: House) -> None:
    context = Context(house.objects, prefix="spec.template.spec")
    with pytest.raises(NotFound) as caught:
        await house.volumes.prepare(vmi(Volume(name="b", config_map=ConfigMapSource(name="none"))), context)
    assert caught.value.field == "spec.template.spec.volumes[0].configMap"


async def with_claim(house: House, name: str = "base", size: int = 8 * MIB) -> Path:
    await house.claims.create("default", name, size)
    house.objects.claims.add(f"default/{name}")
    return house.claims.disk("default", name)


def ephemeral(name: str = "top", claim: str = "base") -> Volume:
    return Volume(name=name, ephemeral=EphemeralSource(EphemeralClaim(claim_name=claim)))


async def test_an_ephemeral_volume_lies_over_a_claim_that_stays(house: House) -> None:
    base = await with_claim(house)
    before = base.read_bytes()
    found = (await house.volumes.prepare(vmi(ephemeral()), house.context))["top"]
    assert (found.source, found.image.format, found.image.size) == ("ephemeral", "qcow2", 8 * MIB)
    assert found.image.path == str(house.instance / "top.qcow2") and not found.image.read_only
    assert found.image.backing is not None
    assert (found.image.backing.path, found.image.backing.format) == (str(base), "qcow2")
    assert found.image.backing.read_only
    other = (await house.volumes.prepare(vmi(ephemeral(), uid="u-2"), house.context))["top"]
    assert other.image.path != found.image.path and other.image.backing == found.image.backing
    assert base.read_bytes() == before
    await house.volumes.discard("u-1")
    assert base.exists() and Path(other.image.path).exists()


async def test_an_ephemeral_overlay_survives_a_crash_but_not_another_claim(house: House) -> None:
    await with_claim(house)
    await with_claim(house, "other")
    first = (await house.volumes.prepare(vmi(ephemeral()), house.context))["top"]
    inode = Path(first.image.path).stat().st_ino
    again = (await house.volumes.prepare(vmi(ephemeral()), house.context))["top"]
    assert again == first and Path(again.image.path).stat().st_ino == inode
    moved = (await house.volumes.prepare(vmi(ephemeral(claim="other")), house.context))["top"]
    assert moved.image.backing is not None
    assert moved.image.backing.path == str(house.claims.disk("default", "other"))


async def test_an_ephemeral_volume_without_its_claim(house: House) -> None:
    with pytest.raises(NotFound, match='persistentvolumeclaims "base" not found') as caught:
        await house.volumes.prepare(vmi(ephemeral()), house.context)
    assert caught.value.field == "spec.volumes[0].ephemeral.persistentVolumeClaim.claimName"
    house.objects.claims.add("default/base")
    with pytest.raises(HostError, match="has no disk yet"):
        await house.volumes.prepare(vmi(ephemeral()), house.context)


@pytest.mark.parametrize("volume", [ephemeral(), Volume(name="top", data_volume=DataVolumeSource(name="base"))])
async def test_a_claim_that_a_hostile_qemu_wrote_over(house: House, volume: Volume) -> None:
    """QEMU may write all of the file: what its header names is not followed, however the claim is used next."""
    base = await with_claim(house)
    base.write_bytes(qcow2(backing=b"/etc/shadow"))
    house.img.runs.clear()
    with pytest.raises(HostError, match="backing file"):
        await house.volumes.prepare(vmi(volume), house.context)
    assert house.img.runs == []


@pytest.mark.parametrize("kind", ["secret", "config_map"])
async def test_sysprep(house: House, kind: str) -> None:
    house.objects.secrets["default/answers"] = {"Autounattend.xml": b"<secret/>"}
    house.objects.config_maps["default/answers"] = {"unattend.xml": b"<config/>"}
    source = SysprepSource(**{kind: LocalObjectReference(name="answers")})
    found = (await house.volumes.prepare(vmi(Volume(name="answers", sysprep=source)), house.context))["answers"]
    written = Path(found.image.path)
    assert written == house.instance / "answers.iso" and written.stat().st_mode & 0o777 == 0o600
    assert (b"<secret/>" if kind == "secret" else b"<config/>") in written.read_bytes()
    assert (found.source, found.image.format) == ("sysprep", "raw")


async def test_sysprep_without_answers_does_not_tell_what_is_there_instead(house: House) -> None:
    house.objects.secrets["default/answers"] = {"password": b"hunter2"}
    volume = Volume(name="answers", sysprep=SysprepSource(secret=LocalObjectReference(name="answers")))
    with pytest.raises(Invalid, match=r"should contain autounattend\.xml or unattend\.xml") as caught:
        await house.volumes.prepare(vmi(volume), house.context)
    assert "hunter2" not in str(caught.value)
    house.objects.secrets.clear()
    with pytest.raises(NotFound, match='secret "answers" not found'):
        await house.volumes.prepare(vmi(volume), house.context)
    assert os.listdir(house.instance) == []


async def test_figures_and_downward_files(house: House) -> None:
    machine = vmi(
        Volume(name="figures", downward_metrics=DownwardMetricsSource()),
        Volume(name="facts", downward_api=DownwardAPISource(fields=[_name_file()])),
    )
    found = await house.volumes.prepare(machine, house.context)
    figures = Path(found["figures"].image.path).read_bytes()
    assert figures[:4] == b"mvbd" and len(figures) == found["figures"].image.size == 256 << 10
    assert b"vm" in Path(found["facts"].image.path).read_bytes()


def _name_file() -> DownwardAPIFile:
    return DownwardAPIFile(path="name", field_ref=FieldReference(field_path="metadata.name"))


async def test_volumes_that_are_no_disks_are_left_out(house: House) -> None:
    machine = vmi(
        Volume(name="shared", config_map=ConfigMapSource(name="none")),
        Volume(name="dump", memory_dump=MemoryDumpSource(claim_name="none")),
    )
    machine.spec.domain.devices.filesystems = [Filesystem(name="shared", virtiofs=VirtioFS())]
    assert await house.volumes.prepare(machine, house.context) == {}


@pytest.mark.parametrize(
    "volume",
    [container_disk(), ephemeral("root"), Volume(name="root", empty_disk=EmptyDiskSource(capacity="4Mi"))],
    ids=["containerDisk", "ephemeral", "emptyDisk"],
)
async def test_a_full_disk_leaves_nothing_half_made(house: House, volume: Volume) -> None:
    await with_claim(house)
    house.img.answer = Completed(1, b"", "qemu-img: d: No space left on device")
    with pytest.raises(HostError) as caught:
        await house.volumes.prepare(vmi(volume), house.context)
    assert caught.value.reason == "StorageFull" and "SOLOVIRT_STATE_DIR" in str(caught.value.hint)
    assert os.listdir(house.instance) == []
    house.img.answer = Completed(0, b"", "")
    assert "root" in await house.volumes.prepare(vmi(volume), house.context)


async def test_a_seed_that_finds_no_room_is_not_half_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = Volume(name="seed", cloud_init_no_cloud=CloudInitSource(user_data="x"))

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_atomic", full)
        with pytest.raises(HostError) as caught:
            await house.volumes.prepare(vmi(volume), house.context)
    assert caught.value.reason == "StorageFull" and os.listdir(house.instance) == []
    assert "seed" in await house.volumes.prepare(vmi(volume), house.context)


async def test_a_seed_that_a_power_failure_emptied_is_made_anew(house: House) -> None:
    machine = vmi(Volume(name="seed", cloud_init_no_cloud=CloudInitSource(user_data="x")))
    seed = Path((await house.volumes.prepare(machine, house.context))["seed"].image.path)
    whole = seed.read_bytes()
    seed.write_bytes(b"")
    await house.volumes.prepare(machine, house.context)
    assert len(seed.read_bytes()) == len(whole)
