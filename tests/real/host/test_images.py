"""Pulls from a real registry through the real skopeo."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from solovirt.host.images.credentials import from_login, from_secret
from solovirt.host.images.files import SparseWriter
from solovirt.host.images.layers import Layer, extract
from solovirt.host.images.store import ImageStore, Progress
from solovirt.kit import json
from solovirt.kit.errors import HostError
from tests.real.host.registry import PASSWORD, USER, RealRegistry, serving
from tests.unit.host.images.fakes import MIB, raw_disk, tar

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with serving(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with serving(tmp_path_factory.mktemp("protected"), protected=True) as made:
        yield made


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[ImageStore]:
    made = ImageStore(tmp_path / "images")
    await made.open()
    yield made
    await made.close()
    assert os.listdir(tmp_path / "images" / "tmp") == []


def real_qcow2(path: Path, size: str = "16M") -> bytes:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), size], check=True, timeout=60)
    return path.read_bytes()


async def test_pull_of_a_single_image(registry: RealRegistry, images: ImageStore, tmp_path: Path) -> None:
    disk = real_qcow2(tmp_path / "d.qcow2")
    digest = registry.push("one:v1", tar(("disk", None), ("disk/d.qcow2", disk)), tar(("boot/vmlinuz", b"kernel")))
    seen: list[Progress] = []
    image = await images.ensure(f"{registry.address}/one:v1", progress=seen.append)
    assert image.digest == digest
    assert image.disk().format == "qcow2"
    assert image.disk().size == 16 * MIB
    assert Path(image.disk().path).read_bytes() == disk
    assert image.file("/boot/vmlinuz").read_bytes() == b"kernel"
    assert seen[-1].done == seen[-1].total > 0


async def test_pull_of_an_index_takes_this_architecture(registry: RealRegistry, images: ImageStore) -> None:
    digest = registry.push("multi:v1", tar(("disk/d", raw_disk())), others=("arm64", "s390x"))
    image = await images.ensure(f"{registry.address}/multi:v1")
    assert image.digest == digest
    assert image.disk().format == "raw"
    by_digest = await images.ensure(f"docker://{registry.address}/multi@{digest}")
    assert by_digest.disk().path == image.disk().path


async def test_always_sees_a_moved_tag(registry: RealRegistry, images: ImageStore) -> None:
    registry.push("moving", tar(("disk/d", raw_disk(b"one"))))
    first = await images.ensure(f"{registry.address}/moving")
    assert await images.ensure(f"{registry.address}/moving") == first
    registry.push("moving", tar(("disk/d", raw_disk(b"two"))))
    assert await images.ensure(f"{registry.address}/moving", policy="IfNotPresent") == first
    second = await images.ensure(f"{registry.address}/moving")
    assert Path(second.disk().path).read_bytes().startswith(b"two")


async def test_what_is_not_there(registry: RealRegistry, images: ImageStore) -> None:
    with pytest.raises(HostError) as caught:
        await images.ensure(f"{registry.address}/none:v1", field="spec.volumes[0].containerDisk.image")
    assert caught.value.reason == "ErrImagePull"
    assert "none:v1" in caught.value.message
    assert "manifest unknown" in caught.value.message
    assert caught.value.hint
    assert caught.value.field == "spec.volumes[0].containerDisk.image"


async def test_nobody_listens(images: ImageStore) -> None:
    with pytest.raises(HostError, match="refused") as caught:
        await images.ensure("localhost:1/a")
    assert caught.value.reason == "ErrImagePull"


async def test_credentials(protected: RealRegistry, images: ImageStore) -> None:
    protected.push("team/secret:v1", tar(("disk/d", raw_disk())))
    name = f"{protected.address}/team/secret:v1"
    for wrong in (None, from_login(protected.address, USER.encode(), b"wrong")):
        with pytest.raises(HostError) as caught:
            await images.ensure(name, credentials=wrong)
        assert caught.value.reason == "ErrImagePull"
        assert "imagePullSecret" in caught.value.hint
    config: json.JsonObject = {"auths": {protected.address: {"username": USER, "password": PASSWORD}}}
    right = from_secret("s", {".dockerconfigjson": json.encode(config)}, protected.address)
    assert (await images.ensure(name, credentials=right)).disk().format == "raw"


async def test_the_password_is_never_on_a_command_line(protected: RealRegistry, images: ImageStore) -> None:
    protected.push("team/argv:v1", tar(("disk/d", random.Random(1).randbytes(4 * MIB))))
    credentials = from_login(protected.address, USER.encode(), PASSWORD.encode())
    pull = asyncio.create_task(images.ensure(f"{protected.address}/team/argv:v1", credentials=credentials))
    lines: list[bytes] = []
    while not pull.done():
        lines += command_lines(b"skopeo")
        await asyncio.sleep(0.005)
    await pull
    assert any(b"--authfile" in line or b"--src-authfile" in line for line in lines)
    assert not any(PASSWORD.encode() in line for line in lines)


async def test_three_machines_one_pull(registry: RealRegistry, images: ImageStore) -> None:
    registry.push("shared:v1", tar(("disk/d", raw_disk(b"shared"))))
    found = await asyncio.gather(*(images.ensure(f"{registry.address}/shared:v1") for _ in range(3)))
    assert found[0] == found[1] == found[2]


async def test_a_registry_that_swaps_a_layer_is_caught(registry: RealRegistry, images: ImageStore) -> None:
    layer = tar(("disk/d", random.Random(2).randbytes(MIB)))
    registry.push("swapped:v1", layer)
    blobs = sorted(registry.root.glob("data/docker/registry/v2/blobs/sha256/*/*/data"), key=lambda p: p.stat().st_mtime)
    newest = max((path for path in blobs if path.stat().st_size > 900_000), key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(newest.read_bytes())
    data[5000] ^= 0xFF
    newest.write_bytes(bytes(data))
    with pytest.raises(HostError) as caught:
        await images.ensure(f"{registry.address}/swapped:v1")
    assert caught.value.reason == "ErrImagePull"
    assert os.listdir(images.blobs) == []


_PULLER = """
import asyncio, sys
from pathlib import Path
from solovirt.host.images.store import ImageStore

async def main():
    store = ImageStore(Path(sys.argv[1]))
    await store.open()
    print("ready", flush=True)
    await store.ensure(sys.argv[2], progress=lambda p: print(p.phase, p.done, flush=True))
    print("done", flush=True)

asyncio.run(main())
"""


def command_lines(word: bytes) -> list[bytes]:
    found: list[bytes] = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                line = Path(entry.path, "cmdline").read_bytes()
            except OSError:
                continue
            if word in line.split(b"\0")[0]:
                found.append(line)
    return found


def start_and_kill(root: Path, name: str, seconds: float) -> None:
    """A process that pulls is killed after ``seconds``; its skopeo must go with it."""
    puller = subprocess.Popen(
        [sys.executable, "-c", _PULLER, str(root), name], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert puller.stdout is not None
    with puller.stdout:
        assert puller.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        puller.send_signal(signal.SIGKILL)
        puller.wait(timeout=30)
    deadline = time.monotonic() + 30
    while any(str(root).encode() in line for line in command_lines(b"skopeo")):
        assert time.monotonic() < deadline, "skopeo outlived the daemon"
        time.sleep(0.02)


async def test_kill_9_during_a_pull_leaves_nothing(registry: RealRegistry, tmp_path: Path) -> None:
    registry.push("big:v1", tar(("disk/d", random.Random(3).randbytes(24 * MIB))))
    name = f"{registry.address}/big:v1"
    seed = random.randrange(1 << 32)
    print(f"6 kills, seed {seed}")
    dice = random.Random(seed)
    root = tmp_path / "images"
    for _ in range(6):
        await asyncio.to_thread(start_and_kill, root, name, dice.uniform(0, 0.8))
    store = ImageStore(root)
    await store.open()
    assert os.listdir(root / "tmp") == []
    image = await store.ensure(name)
    assert image.disk().size == 24 * MIB
    assert [path.name for path in store.blobs.iterdir()] == [Path(image.disk().path).name]
    await store.close()


def test_zstd_layers(tmp_path: Path) -> None:
    (tmp_path / "layer.tar").write_bytes(tar(("disk/d", raw_disk())))
    subprocess.run(["zstd", "-q", "layer.tar"], cwd=tmp_path, check=True, timeout=60)
    taken = extract(
        [Layer(tmp_path / "layer.tar.zst", "zstd")],
        lambda path: True,
        lambda: SparseWriter(tmp_path / "out"),
    ).taken
    assert taken["/disk/d"].path.read_bytes() == raw_disk()
    (tmp_path / "bad.zst").write_bytes((tmp_path / "layer.tar.zst").read_bytes()[:-8])
    with pytest.raises(HostError, match="layer"):
        extract([Layer(tmp_path / "bad.zst", "zstd")], lambda path: True, lambda: SparseWriter(tmp_path / "out2"))
