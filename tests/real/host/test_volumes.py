"""Disks made by the real qemu-img, and seeds that real tools can read."""

from __future__ import annotations

import contextlib
import json as stdlib_json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.api.cdi.datavolume import DataVolumeImport, DataVolumeSpec, HTTPSource, StorageResources, StorageSpec
from solovirt.api.kubevirt.spec.sources import CloudInitSource, ContainerDiskSource, EmptyDiskSource, Volume
from solovirt.host.images.inspect import inspect
from solovirt.host.images.store import ImageStore
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes import overlay, qemu_img
from solovirt.host.volumes.claims import Claims
from solovirt.host.volumes.imports import Importer
from solovirt.host.volumes.prepare import Context, Volumes
from solovirt.kit.errors import Conflict, HostError
from solovirt.kit.paths import Paths
from tests.unit.host.images.fakes import MIB, qcow2
from tests.unit.host.volumes.fakes import Objects, vmi
from tests.unit.host.volumes.web import Answer, Web, serving

pytestmark = pytest.mark.real

QCOW2_SECRET = ["-f", "qcow2", "--object", "secret,id=s,data=x"]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.delenv("http_proxy", raising=False)
    with serving() as made:
        yield made


def tool(*command: str | Path, cwd: Path | None = None) -> bytes:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60, cwd=cwd)
    return done.stdout


def info(path: str | Path) -> dict[str, object]:
    found = stdlib_json.loads(tool("qemu-img", "info", "--output=json", "-f", "qcow2", path))
    assert isinstance(found, dict)
    return found


def content(path: str | Path, image_format: str, size: int) -> bytes:
    raw = Path(f"{path}.as-raw")
    tool("qemu-img", "convert", "-f", image_format, "-O", "raw", str(path), str(raw))
    return raw.read_bytes()[:size]


@contextlib.contextmanager
def held_open(path: str) -> Iterator[None]:
    """qemu-io has the image open, and locked, as QEMU would."""
    command = ["qemu-io", "-f", "qcow2", path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        holder.stdin.write(b"length\n")
        holder.stdin.flush()
        holder.stdout.readline()
        yield
        holder.stdin.close()


@pytest.mark.parametrize("name", ["plain", "a,b=c,,d", "with space"])
async def test_an_overlay_reads_through_to_its_base(tmp_path: Path, name: str) -> None:
    base = tmp_path / name
    base.write_bytes(b"\x55" * MIB)
    backing = DiskImage(path=str(base), format="raw", size=MIB)
    await qemu_img.create(tmp_path / "o.qcow2", MIB, backing=backing)
    shown = info(tmp_path / "o.qcow2")
    assert (shown["backing-filename"], shown["backing-filename-format"]) == (str(base), "raw")
    assert shown["virtual-size"] == MIB
    assert content(tmp_path / "o.qcow2", "qcow2", MIB) == b"\x55" * MIB
    found = inspect(tmp_path / "o.qcow2", allow_backing=True)
    assert (found.backing, found.backing_format, found.virtual_size) == (str(base), "raw", MIB)


@pytest.mark.parametrize(
    "options",
    [
        *("compat=0.10", "compat=1.1", "cluster_size=512", "cluster_size=2M", "extended_l2=on,cluster_size=128k"),
        *("compression_type=zstd", "lazy_refcounts=on", "preallocation=metadata"),
    ],
)
@pytest.mark.parametrize("size", ["1M", "100M", "3G"])
def test_the_inspector_takes_what_qemu_img_makes(tmp_path: Path, options: str, size: str) -> None:
    path = tmp_path / "d.qcow2"
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, str(path), size)
    found = inspect(path)
    assert found.format == "qcow2"
    assert found.virtual_size == info(path)["virtual-size"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["-f", "qcow2", "-o", "backing_file=/dev/null,backing_fmt=raw", "-u", "d", "1M"], "backing file"),
        (["-f", "qcow2", "-o", "data_file=ext.raw", "d", "1M"], "external data file"),
        (
            [
                "-f",
                "qcow2",
                "--object",
                "secret,id=s,data=x",
                "-o",
                "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
                "d",
                "1M",
            ],
            "encrypted",
        ),
        (["-f", "vmdk", "d", "1M"], "VMDK"),
        (["-f", "vmdk", "-o", "subformat=monolithicFlat", "d", "1M"], "VMDK"),
        (["-f", "vdi", "d", "1M"], "VDI"),
        (["-f", "vhdx", "d", "1M"], "VHDX"),
        (["-f", "vpc", "d", "1M"], "VHD"),
        (["-f", "qed", "d", "1M"], "QED"),
        (["-f", "parallels", "d", "1M"], "Parallels"),
        (["-f", "qcow", "d", "1M"], "version 1"),
        (["-f", "luks", "--object", "secret,id=s,data=x", "-o", "key-secret=s,iter-time=10", "d", "1M"], "LUKS"),
    ],
)
def test_the_inspector_refuses_what_qemu_img_can_make_beside(tmp_path: Path, arguments: list[str], why: str) -> None:
    for last in (*[False] * 9, True):
        try:
            tool("qemu-img", "create", "-q", *arguments, cwd=tmp_path)
            break
        except subprocess.CalledProcessError:
            # Now and then: "Unable to get accurate CPU usage", by which LUKS chooses how often to hash.
            if last or "luks" not in str(arguments):
                raise
    with pytest.raises(HostError, match=why):
        inspect(tmp_path / "d")


async def test_a_claim_grows_but_not_while_it_is_open(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "volumes")
    made = await claims.create("default", "a", 8 * MIB)
    assert info(made.path)["virtual-size"] == 8 * MIB
    await claims.expand("default", "a", 16 * MIB)
    assert info(made.path)["virtual-size"] == 16 * MIB
    with held_open(made.path), pytest.raises(HostError) as caught:
        await claims.expand("default", "a", 32 * MIB)
    assert caught.value.reason == "VolumeInUse"


@pytest.mark.parametrize("image_format", ["raw", "qcow2"])
async def test_import_from_http(web: Web, tmp_path: Path, image_format: str) -> None:
    raw = tmp_path / "in.raw"
    raw.write_bytes(os.urandom(MIB) + bytes(3 * MIB))
    served = tmp_path / "served"
    tool("qemu-img", "convert", "-f", "raw", "-O", image_format, raw, served)
    web.answers["/d"] = Answer(served.read_bytes())
    spec = DataVolumeSpec(
        source=DataVolumeImport(http=HTTPSource(url=f"{web.url}/d")),
        storage=StorageSpec(resources=StorageResources(requests={"storage": "32Mi"})),
    )
    claims = Claims(tmp_path / "volumes")
    seen: list[float | None] = []
    made = await Importer(claims).run("default", "dv", spec, seen.append)
    assert info(made.path)["virtual-size"] == 32 * MIB
    assert content(made.path, "qcow2", 4 * MIB) == raw.read_bytes()
    assert os.stat(made.path).st_uid == os.geteuid()
    assert seen[-1] == 1.0
    assert sorted(os.listdir(Path(made.path).parent)) == ["disk.qcow2", "disk.qcow2.as-raw"]


async def test_prepare_with_real_tools(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "run")
    images = ImageStore(paths.images, in_use=lambda: overlay.blobs_in_use(paths.state / "instances", images.blobs))
    await images.open()
    base = tmp_path / "base.qcow2"
    tool("qemu-img", "create", "-q", "-f", "qcow2", base, "64M")
    await images.import_file("solovirt/tiny", {"/disk/base.qcow2": base})
    volumes = Volumes(paths, images, Claims(paths.volumes))
    machine = vmi(
        Volume(name="root", container_disk=ContainerDiskSource(image="solovirt/tiny")),
        Volume(name="scratch", empty_disk=EmptyDiskSource(capacity="8Mi")),
        Volume(name="seed", cloud_init_no_cloud=CloudInitSource(user_data="#!/bin/sh\n")),
    )
    context = Context(Objects(), uuid="11111111-2222-3333-4444-555555555555")
    started = time.monotonic()
    found = await volumes.prepare(machine, context)
    print(f"prepare took {(time.monotonic() - started) * 1000:.0f} ms")
    backing = found["root"].image.backing
    assert backing is not None
    assert info(found["root"].image.path)["full-backing-filename"] == backing.path
    assert content(found["root"].image.path, "qcow2", 10) == bytes(10)
    label = tool("blkid", "-o", "value", "-s", "LABEL", found["seed"].image.path)
    assert label.strip() == b"cidata"
    with pytest.raises(Conflict, match="in use by u-1"):
        await images.remove("solovirt/tiny")
    await volumes.discard("u-1")
    await images.remove("solovirt/tiny")
    assert os.listdir(images.blobs) == []
    await images.close()


def test_direct_io_works_where_dd_says_so(tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.write_bytes(bytes(MIB))
    dd = subprocess.run(["dd", f"if={path}", "of=/dev/null", "iflag=direct", "bs=4096", "count=1"], capture_output=True)
    assert overlay.supports_direct_io(str(path)) is (dd.returncode == 0)


async def test_crafted_headers_of_the_unit_tests_are_what_qemu_reads(tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.write_bytes(qcow2(backing=b"/dev/null", extensions=[(0xE2792ACA, b"raw")]))
    shown = info(path)
    assert (shown["backing-filename"], shown["virtual-size"]) == ("/dev/null", 64 * MIB)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's qemu-img is that user")
async def test_growing_a_hostile_image_reaches_no_other_file(tmp_path: Path) -> None:
    """What its QEMU wrote into the header counts for nothing, even if nobody had looked at it before."""
    victim, image = tmp_path / "victim", tmp_path / "image"
    options = f"data_file={victim},data_file_raw=on"
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, image, "1M")
    victim.chmod(0o600)
    with pytest.raises(HostError, match="Permission denied"):
        await qemu_img.resize(image, "qcow2", 8 << 20)
    assert victim.stat().st_size == 1 << 20
    assert image.stat().st_uid == 0
