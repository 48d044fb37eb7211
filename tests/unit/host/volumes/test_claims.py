from __future__ import annotations

import os
from pathlib import Path

import pytest

from solovirt.api.core.persistentvolumeclaim import (
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    VolumeResources,
)
from solovirt.host.volumes.claims import Claims, requested_size
from solovirt.kit.errors import HostError, Invalid
from tests.unit.host.images.fakes import MIB, qcow2
from tests.unit.host.volumes.fakes import QemuImg, fake_qemu_img


@pytest.fixture
def img(monkeypatch: pytest.MonkeyPatch) -> QemuImg:
    return fake_qemu_img(monkeypatch)


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path / "volumes")


def claim(**requests: str | int | float) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(spec=PersistentVolumeClaimSpec(resources=VolumeResources(requests=dict(requests))))


def test_requested_size() -> None:
    assert requested_size(claim(storage="1Gi")) == 1 << 30
    for wrong in (claim(), claim(storage="0"), claim(storage="x"), claim(storage="-1Gi")):
        with pytest.raises(Invalid) as caught:
            requested_size(wrong)
        assert caught.value.field == "spec.resources.requests.storage"


@pytest.mark.parametrize(("namespace", "name"), [("..", "a"), ("a", "../b"), ("a", "b/c"), ("", "a"), ("a", "A")])
def test_names_cannot_leave_the_directory(claims: Claims, namespace: str, name: str) -> None:
    with pytest.raises(Invalid):
        claims.disk(namespace, name)


async def test_life_of_a_claim(img: QemuImg, claims: Claims) -> None:
    assert claims.find("default", "a") is None
    made = await claims.create("default", "a", 10 * MIB)
    assert claims.find("default", "a") == made
    assert made.path.endswith("/volumes/default/a/disk.qcow2")
    assert (made.format, made.size, made.read_only) == ("qcow2", 10 * MIB, False)
    assert await claims.create("default", "a", 20 * MIB) == made
    grown = await claims.expand("default", "a", 20 * MIB)
    assert claims.find("default", "a") == grown
    assert grown.size == 20 * MIB
    assert (await claims.expand("default", "a", 5 * MIB)).size == 20 * MIB
    assert await claims.existing() == [("default", "a")]
    await claims.delete("default", "a")
    await claims.delete("default", "a")
    assert await claims.existing() == []


async def test_growing_what_is_not_there(img: QemuImg, claims: Claims) -> None:
    assert await claims.existing() == []
    with pytest.raises(HostError) as caught:
        await claims.expand("default", "a", 1)
    assert caught.value.reason == "VolumeNotFound"


async def test_a_disk_that_grew_a_backing_file_is_refused(img: QemuImg, claims: Claims) -> None:
    made = await claims.create("default", "a", MIB)
    Path(made.path).write_bytes(qcow2(backing=b"/etc/shadow"))
    with pytest.raises(HostError, match="of claim default/a is a qcow2 image with a backing file"):
        claims.find("default", "a")


async def test_sweep_deletes_what_an_import_left(img: QemuImg, claims: Claims) -> None:
    made = await claims.create("default", "a", MIB)
    left = Path(made.path).with_name("download.partial")
    left.write_bytes(b"half")
    await claims.sweep()
    assert os.listdir(left.parent) == ["disk.qcow2"]
