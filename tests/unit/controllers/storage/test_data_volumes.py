from __future__ import annotations

import asyncio

from solovirt.api import registry
from solovirt.api.cdi.datavolume import (
    BlankSource,
    DataVolume,
    DataVolumeImport,
    DataVolumeSpec,
    StorageResources,
    StorageSpec,
)
from solovirt.api.cdi.sources import ClaimReference, UploadSource
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaimSpec, VolumeResources
from solovirt.api.meta import ObjectMeta, find_condition
from solovirt.controllers.storage.data_volumes import make_claim, percent
from tests.unit.controllers.lab import Lab, refused
from tests.unit.controllers.storage.test_claims import CLAIMS, claim

DVS = registry.DATA_VOLUMES
KEY = ("default", "disk")


def volume() -> DataVolume:
    return DataVolume(
        metadata=ObjectMeta(name="disk", namespace="default"),
        spec=DataVolumeSpec(
            source=DataVolumeImport(blank=BlankSource()),
            storage=StorageSpec(resources=StorageResources(requests={"storage": "1Mi"})),
        ),
    )


def found(lab: Lab) -> DataVolume:
    return lab.objects.get(DVS, *KEY)


def running(lab: Lab) -> tuple[str, str]:
    condition = find_condition(found(lab).status.conditions, "Running")
    assert condition is not None
    return condition.status, condition.reason


async def test_a_data_volume_fills_its_claim(lab: Lab) -> None:
    await lab.objects.create(DVS, volume())
    await lab.settle()
    status = found(lab).status
    assert (status.phase, status.progress, status.claim_name) == ("Succeeded", "100.0%", "disk")
    assert lab.claim("disk").status.phase == "Bound"
    assert lab.claim("disk").metadata.owner_references[0].uid == found(lab).metadata.uid
    assert lab.reasons("DataVolume") == ["ImportScheduled", "ImportSucceeded"]
    await lab.objects.delete(DVS, *KEY)
    await lab.settle()
    assert lab.objects.find(CLAIMS, *KEY) is None, "the claim goes with it"
    assert lab.host.disks == {}


async def test_progress_shows(lab: Lab) -> None:
    lab.host.import_gate = asyncio.Event()
    await lab.objects.create(DVS, volume())
    await lab.settle()
    assert (found(lab).status.phase, found(lab).status.progress) == ("ImportInProgress", "25.0%")
    assert running(lab)[0] == "True"
    assert lab.claim("disk").status.phase == "Pending"
    lab.host.import_gate.set()
    await lab.settle()
    assert found(lab).status.phase == "Succeeded"


async def test_a_failed_import_is_told_and_begun_again(lab: Lab) -> None:
    lab.host.import_error = refused("404")
    await lab.objects.create(DVS, volume())
    await lab.settle()
    assert (found(lab).status.phase, found(lab).status.restart_count) == ("Failed", 1)
    assert running(lab) == ("False", "Error")
    assert lab.host.imports == 1, "not at once"
    lab.host.import_error = None
    await lab.restart()
    assert found(lab).status.phase == "Succeeded"


async def test_an_import_that_a_dead_daemon_left_is_run_again(lab: Lab) -> None:
    lab.host.import_gate = asyncio.Event()
    await lab.objects.create(DVS, volume())
    await lab.settle()
    lab.host.import_gate = None
    await lab.restart()
    assert found(lab).status.phase == "Succeeded"
    assert lab.host.imports == 2


async def test_deleting_ends_the_import(lab: Lab) -> None:
    lab.host.import_gate = asyncio.Event()
    await lab.objects.create(DVS, volume())
    await lab.settle()
    await lab.objects.delete(DVS, *KEY)
    await lab.settle()
    assert lab.objects.find(CLAIMS, *KEY) is None
    assert lab.manager._data_volumes._jobs.get(KEY) is None


async def test_a_foreign_claim_is_left_alone(lab: Lab) -> None:
    await lab.objects.create(CLAIMS, claim())
    await lab.settle()
    await lab.objects.create(DVS, volume())
    await lab.settle()
    assert found(lab).status.phase == "Pending"
    assert "ErrResourceExists" in lab.reasons("DataVolume")
    assert lab.host.imports == 0


def test_make_claim() -> None:
    made = make_claim(volume())
    assert made.spec.access_modes == ["ReadWriteOnce"]
    given = volume()
    given.spec.storage = None
    given.spec.pvc = PersistentVolumeClaimSpec(
        access_modes=["ReadWriteMany"], resources=VolumeResources(requests={"storage": "2Gi"})
    )
    assert make_claim(given).spec == given.spec.pvc


def test_percent() -> None:
    assert [percent(share) for share in (None, 0.0, 0.5, 1.0)] == ["N/A", "0.0%", "50.0%", "100.0%"]


async def test_a_source_that_cannot_be_fetched_fails_once(lab: Lab) -> None:
    asked = volume()
    asked.spec.source = DataVolumeImport(upload=UploadSource())
    await lab.objects.create(DVS, asked)
    await lab.settle()
    status = found(lab).status
    assert (status.phase, status.restart_count, lab.host.imports) == ("Failed", 0, 0)
    condition = find_condition(status.conditions, "Running")
    assert condition is not None and condition.reason == "Error"
    assert condition.message.startswith("uploads are not taken yet")
    bound = find_condition(status.conditions, "Bound")
    assert bound is not None and bound.status == "False"
    assert lab.objects.find(CLAIMS, *KEY) is None, "no empty disk in its place"
    await lab.restart()
    assert lab.reasons("DataVolume") == ["Error"], "told once"
    version = found(lab).metadata.resource_version
    lab.manager._data_volumes.queue.add(KEY)
    await lab.settle()
    assert found(lab).metadata.resource_version == version


async def test_a_clone_has_its_sources_size(lab: Lab) -> None:
    asked = volume()
    asked.spec.source = DataVolumeImport(pvc=ClaimReference("default", "golden"))
    assert asked.spec.storage is not None
    asked.spec.storage.resources.requests.clear()
    await lab.objects.create(DVS, asked)
    await lab.settle()
    assert found(lab).status.phase == "Pending" and "ErrClaimNotValid" in lab.reasons("DataVolume")
    await lab.objects.create(CLAIMS, claim("golden", "7Mi"))
    await lab.settle()
    lab.manager._data_volumes.queue.add(KEY)
    await lab.settle()
    assert lab.claim("disk").spec.resources.requests == {"storage": "7Mi"}
    assert found(lab).status.phase == "Succeeded"


def test_a_clone_that_says_its_size_keeps_it() -> None:
    asked = volume()
    asked.spec.source = DataVolumeImport(pvc=ClaimReference("default", "golden"))
    assert make_claim(asked, "7Mi").spec.resources.requests == {"storage": "1Mi"}


def test_what_a_claim_has_of_its_data_volume() -> None:
    """Its labels and annotations, and whether all space is kept; not the manifest that kubectl remembers."""
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    asked = volume()
    asked.metadata.annotations = {"a": "b", applied: '{"extraHeaders": ["Authorization: secret"]}'}
    asked.metadata.labels = {"l": "m"}
    assert make_claim(asked).metadata.annotations == {"a": "b"}
    assert make_claim(asked).metadata.labels == {"l": "m", "app": "containerized-data-importer"}
    asked.spec.preallocation = True
    assert make_claim(asked).metadata.annotations == {"a": "b", "cdi.kubevirt.io/storage.preallocation": "true"}
    assert asked.metadata.annotations[applied], "its own stays"
