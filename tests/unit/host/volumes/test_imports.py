from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.api.cdi.datavolume import (
    BlankSource,
    DataVolumeImport,
    DataVolumeSpec,
    HTTPSource,
    StorageResources,
    StorageSpec,
)
from solovirt.api.cdi.sources import (
    ClaimReference,
    GCSSource,
    ImageIOSource,
    RegistrySource,
    S3Source,
    UploadSource,
    VDDKSource,
)
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaimSpec, VolumeResources
from solovirt.host.images.tools import Completed
from solovirt.host.model.bindings import DiskImage
from solovirt.host.volumes.claims import Claims
from solovirt.host.volumes.imports import Importer, requested_size, unsupported
from solovirt.kit.errors import HostError, Invalid
from tests.unit.host.images.fakes import MIB, qcow2, raw_disk
from tests.unit.host.volumes.fakes import QemuImg, fake_qemu_img
from tests.unit.host.volumes.web import Answer, Web, serving


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.delenv("http_proxy", raising=False)
    with serving() as made:
        yield made


@pytest.fixture
def img(monkeypatch: pytest.MonkeyPatch) -> QemuImg:
    return fake_qemu_img(monkeypatch)


@pytest.fixture
def claims(tmp_path: Path) -> Claims:
    return Claims(tmp_path / "volumes")


def spec(source: DataVolumeImport | None, size: str = "64Mi") -> DataVolumeSpec:
    return DataVolumeSpec(source=source, storage=StorageSpec(resources=StorageResources(requests={"storage": size})))


def http(web: Web, path: str = "/d", checksum: str = "") -> DataVolumeImport:
    return DataVolumeImport(http=HTTPSource(url=web.url + path, checksum=checksum))


def left(claims: Claims) -> list[str]:
    directory = claims.disk("default", "dv").parent
    return sorted(os.listdir(directory)) if directory.exists() else []


def test_size_of_either_target() -> None:
    assert requested_size(spec(None, "1Gi")) == 1 << 30
    pvc = PersistentVolumeClaimSpec(resources=VolumeResources(requests={"storage": "2Gi"}))
    assert requested_size(DataVolumeSpec(pvc=pvc)) == 2 << 30
    for wrong, field in ((DataVolumeSpec(), "spec"), (spec(None, "x"), "spec.storage.resources.requests.storage")):
        with pytest.raises(Invalid) as caught:
            requested_size(wrong)
        assert caught.value.field == field


async def test_blank(img: QemuImg, claims: Claims) -> None:
    made = await Importer(claims).run("default", "dv", spec(DataVolumeImport(blank=BlankSource())))
    assert claims.find("default", "dv") == made
    assert made.size == 64 * MIB


async def test_http_says_formats_and_grows_to_the_claim(img: QemuImg, claims: Claims, web: Web) -> None:
    web.answers["/d"] = Answer(raw_disk(size=MIB))
    seen: list[float | None] = []
    made = await Importer(claims).run("default", "dv", spec(http(web)), seen.append)
    assert [run[0] for run in img.runs] == ["convert", "resize"]
    assert img.runs[0][2:6] == ["-f", "raw", "-O", "qcow2"]
    assert img.runs[1][2:4] == ["-f", "qcow2"]
    assert claims.find("default", "dv") == made
    assert left(claims) == ["disk.qcow2"]
    await asyncio.sleep(0)
    shares = [share for share in seen if share is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


async def test_done_is_done(img: QemuImg, claims: Claims, web: Web) -> None:
    web.answers["/d"] = Answer(qcow2())
    first = await Importer(claims).run("default", "dv", spec(http(web)))
    assert await Importer(claims).run("default", "dv", spec(http(web))) == first
    assert web.asked == ["/d"]


async def test_a_killed_import_starts_over(img: QemuImg, claims: Claims, web: Web) -> None:
    web.answers["/d"] = Answer(qcow2())
    directory = await claims.make_directory("default", "dv")
    (directory / "download.partial").write_bytes(b"half")
    (directory / "converted.partial").write_bytes(b"half")
    await Importer(claims).run("default", "dv", spec(http(web)))
    assert left(claims) == ["disk.qcow2"]


async def test_larger_than_the_claim_is_cdis_message(img: QemuImg, claims: Claims, web: Web) -> None:
    web.answers["/d"] = Answer(qcow2(size=128 * MIB))
    with pytest.raises(HostError) as caught:
        await Importer(claims).run("default", "dv", spec(http(web)))
    assert caught.value.message == (
        "virtual image size 134217728 is larger than the reported available storage 67108864. A larger PVC is required"
    )
    assert img.runs == []
    assert left(claims) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (qcow2(backing=b"/etc/shadow"), "backing file"),
        (qcow2(features=4), "external data file"),
        (b"KDMV" + bytes(1000), "VMDK"),
        (b"", "empty"),
    ],
)
async def test_hostile_images_never_reach_qemu_img(
    img: QemuImg, claims: Claims, web: Web, body: bytes, why: str
) -> None:
    web.answers["/d"] = Answer(body)
    with pytest.raises(HostError, match=why):
        await Importer(claims).run("default", "dv", spec(http(web)))
    assert img.runs == []
    assert left(claims) == []


async def test_a_failed_conversion_leaves_nothing(img: QemuImg, claims: Claims, web: Web) -> None:
    web.answers["/d"] = Answer(qcow2())
    img.answer = Completed(1, b"", "qemu-img: No space left on device")
    with pytest.raises(HostError) as caught:
        await Importer(claims).run("default", "dv", spec(http(web)))
    assert caught.value.reason == "StorageFull"
    assert left(claims) == []


async def test_cancelling_does_not_wait_for_a_silent_server(img: QemuImg, claims: Claims, web: Web) -> None:
    silence = threading.Event()
    web.answers["/d"] = Answer(b"x" * 512, length=1024, after=silence)
    task = asyncio.create_task(Importer(claims).run("default", "dv", spec(http(web))))
    try:
        while not web.asked:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 30
    finally:
        silence.set()
    assert left(claims) == []


async def test_wrong_sources(img: QemuImg, claims: Claims) -> None:
    for source, field in (
        (DataVolumeImport(http=HTTPSource(url="file:///etc/passwd")), "spec.source.http.url"),
        (DataVolumeImport(http=HTTPSource(url="http://a/", checksum="x")), "spec.source.http.checksum"),
    ):
        with pytest.raises(Invalid) as caught:
            await Importer(claims).run("default", "dv", spec(source))
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("source", "lacking"),
    [
        (None, "solovirt keeps no DataSources yet"),
        (DataVolumeImport(s3=S3Source(url="s3://a/b")), "s3 sources are not fetched yet"),
        (DataVolumeImport(gcs=GCSSource(url="gs://a/b")), "gcs sources are not fetched yet"),
        (DataVolumeImport(snapshot=ClaimReference("a", "b")), "there are no snapshots of claims yet"),
        (DataVolumeImport(upload=UploadSource()), "uploads are not taken yet"),
        (DataVolumeImport(imageio=ImageIOSource(url="https://a")), "virt-v2v"),
        (DataVolumeImport(vddk=VDDKSource()), "virt-v2v"),
        (DataVolumeImport(http=HTTPSource(url="http://a", secret_ref="s")), "secretRef, certConfigMap"),
        (DataVolumeImport(registry=RegistrySource(url="oci-archive://a")), "only docker:// URLs"),
        (
            DataVolumeImport(registry=RegistrySource(url="docker://a", secret_ref="s")),
            "registry sources with a secretRef",
        ),
    ],
)
async def test_what_is_missing_is_one_sentence(
    img: QemuImg, claims: Claims, source: DataVolumeImport | None, lacking: str
) -> None:
    assert lacking in unsupported(spec(source)) and "\n" not in unsupported(spec(source))
    with pytest.raises(HostError, match=re.escape(lacking)) as caught:
        await Importer(claims).run("default", "dv", spec(source))
    assert caught.value.reason == "SourceNotSupported" and left(claims) == []


def test_an_archive_is_no_disk() -> None:
    made = spec(DataVolumeImport(http=HTTPSource(url="http://a")))
    assert unsupported(made) == ""
    made.content_type = "archive"
    assert "solovirt's claims are disks" in unsupported(made)


async def test_a_clone_of_another_claim(img: QemuImg, claims: Claims) -> None:
    await claims.create("default", "golden", 64 * MIB)
    source = DataVolumeImport(pvc=ClaimReference("default", "golden"))
    made = await Importer(claims).run("default", "dv", spec(source, "128Mi"))
    assert made.path == str(claims.disk("default", "dv")) and made.size == 128 * MIB
    assert [words[0] for words in img.runs] == ["create", "convert", "resize"]
    assert left(claims) == ["disk.qcow2"]


async def test_a_clone_has_the_size_of_its_source(img: QemuImg, claims: Claims) -> None:
    await claims.create("default", "golden", 64 * MIB)
    asked = spec(DataVolumeImport(pvc=ClaimReference("default", "golden")))
    assert asked.storage is not None
    asked.storage.resources.requests.clear()
    assert (await Importer(claims).run("default", "dv", asked)).size == 64 * MIB


async def test_a_clone_that_does_not_fit_or_has_no_source(img: QemuImg, claims: Claims) -> None:
    source = DataVolumeImport(pvc=ClaimReference("default", "golden"))
    with pytest.raises(HostError, match="source PVC default/golden has no disk yet"):
        await Importer(claims).run("default", "dv", spec(source))
    await claims.create("default", "golden", 64 * MIB)
    with pytest.raises(HostError, match="A larger PVC is required"):
        await Importer(claims).run("default", "dv", spec(source, "32Mi"))


async def test_preallocation_is_asked_of_qemu_img(img: QemuImg, claims: Claims) -> None:
    asked = spec(DataVolumeImport(blank=BlankSource()))
    asked.preallocation = True
    await Importer(claims).run("default", "dv", asked)
    assert "preallocation=falloc" in img.runs[0][img.runs[0].index("-o") + 1]


async def test_headers_of_the_manifest_are_sent(img: QemuImg, claims: Claims, web: Web) -> None:
    web.answers["/d"] = Answer(raw_disk(size=MIB))
    source = DataVolumeImport(http=HTTPSource(url=web.url + "/d", extra_headers=["X-Token: abc"]))
    await Importer(claims).run("default", "dv", spec(source))
    assert web.headers[-1]["x-token"] == "abc"


class Cache:
    """In the place of ``ImageStore``: one image, and what was asked."""

    def __init__(self, image: DiskImage | None = None) -> None:
        self.image = image
        self.asked: list[tuple[str, str]] = []

    async def ensure(self, reference: str, *, policy: str = "", field: str = "") -> Cache:
        self.asked.append((reference, policy))
        if self.image is None:
            raise HostError("no such image", reason="ErrImagePull", field=field)
        return self

    def disk(self, path: str, *, field: str = "") -> DiskImage:
        assert self.image is not None
        return self.image


REGISTRY = DataVolumeImport(registry=RegistrySource(url="docker://quay.io/a/b:1"))


async def test_an_import_from_a_registry(img: QemuImg, claims: Claims, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(qcow2(size=8 * MIB))
    cache = Cache(DiskImage(path=str(blob), format="qcow2", size=8 * MIB))
    asked = spec(REGISTRY)
    asked.preallocation = True
    made = await Importer(claims, cache).run("default", "dv", asked)  # type: ignore[arg-type]
    assert made.size == 64 * MIB and left(claims) == ["disk.qcow2"]
    assert cache.asked == [("quay.io/a/b:1", "Always")]
    assert [run[0] for run in img.runs] == ["convert", "resize"]
    assert img.runs[0][img.runs[0].index("-f") + 1] == "qcow2"
    assert "preallocation=falloc" in img.runs[0][img.runs[0].index("-o") + 1]
    assert "--preallocation=falloc" in img.runs[1]
    assert blob.read_bytes() == qcow2(size=8 * MIB)


async def test_a_registry_that_has_nothing_or_too_much(img: QemuImg, claims: Claims, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no such image") as caught:
        await Importer(claims, Cache()).run("default", "dv", spec(REGISTRY))  # type: ignore[arg-type]
    assert caught.value.field == "spec.source.registry.url"
    large = Cache(DiskImage(path=str(tmp_path / "blob"), format="raw", size=128 * MIB))
    with pytest.raises(HostError, match="A larger PVC is required"):
        await Importer(claims, large).run("default", "dv", spec(REGISTRY))  # type: ignore[arg-type]
    assert img.runs == [] and left(claims) == []


CLONE = DataVolumeImport(pvc=ClaimReference("default", "golden"))


@pytest.mark.parametrize(
    ("image", "why"),
    [(qcow2(backing=b"/etc/shadow"), "backing file"), (qcow2(features=4), "external data file")],
)
async def test_a_claim_whose_header_was_written_over_is_not_cloned(
    img: QemuImg, claims: Claims, image: bytes, why: str
) -> None:
    """Its QEMU may have been taken over by a guest; the clone's would read what the header names."""
    await claims.create("default", "golden", 8 * MIB)
    claims.disk("default", "golden").write_bytes(image)
    img.runs.clear()
    with pytest.raises(HostError, match=why):
        await Importer(claims).run("default", "dv", spec(CLONE))
    assert img.runs == [] and left(claims) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("qemu-img: No space left on device", "StorageFull"),
        ('qemu-img: Failed to get shared "write" lock', "VolumeInUse"),
        ("qemu-img: something else", "QemuImgFailed"),
    ],
)
async def test_a_clone_that_fails_in_the_middle(img: QemuImg, claims: Claims, said: str, reason: str) -> None:
    source = await claims.create("default", "golden", 8 * MIB)
    before = Path(source.path).read_bytes()
    (await claims.make_directory("default", "dv") / "converted.partial").write_bytes(b"of an earlier daemon")
    img.answer = Completed(1, b"", said)
    with pytest.raises(HostError) as caught:
        await Importer(claims).run("default", "dv", spec(CLONE))
    assert caught.value.reason == reason
    assert left(claims) == [] and Path(source.path).read_bytes() == before
    img.answer = Completed(0, b"", "")
    await Importer(claims).run("default", "dv", spec(CLONE))
    assert left(claims) == ["disk.qcow2"]
