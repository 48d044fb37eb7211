from __future__ import annotations

import base64

from solovirt.api import registry
from solovirt.api.cdi.datavolume import (
    BlankSource,
    DataVolume,
    DataVolumeImport,
    DataVolumeSpec,
    StorageResources,
    StorageSpec,
)
from solovirt.api.core.configmap import ConfigMap
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResources
from solovirt.api.core.secret import Secret
from solovirt.api.kubevirt.spec.sources import ClaimSource, DataVolumeSource, SecretSource, Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.controllers.vmi.lookup import StoreLookup, claims_of, missing
from tests.unit.controllers.lab import Lab, lone_vmi


def using(*volumes: Volume) -> VirtualMachineInstance:
    vmi = lone_vmi()
    vmi.spec.volumes = list(volumes)
    return vmi


def meta(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="default")


async def test_data_is_decoded(lab: Lab) -> None:
    secret = Secret(metadata=meta("s"), data={"k": base64.b64encode(b"\0v").decode()})
    await lab.objects.create(registry.SECRETS, secret)
    config = ConfigMap(metadata=meta("c"), data={"a": "ä"}, binary_data={"b": base64.b64encode(b"\xff").decode()})
    await lab.objects.create(registry.CONFIG_MAPS, config)
    lookup = StoreLookup(lab.objects)
    assert lookup.secret("default", "s") == {"k": b"\0v"}
    assert lookup.config_map("default", "c") == {"a": "ä".encode(), "b": b"\xff"}
    assert lookup.secret("default", "none") is None
    assert lookup.config_map("other", "c") is None
    assert lookup.claim("default", "none") is None


async def test_a_claim_must_be_there_and_bound(lab: Lab) -> None:
    vmi = using(Volume(name="a", persistent_volume_claim=ClaimSource(claim_name="p")))
    assert [problem.reason for problem in missing(vmi, lab.objects)] == ["FailedPvcNotFound"]
    spec = PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"], resources=VolumeResources(requests={"storage": "1Mi"})
    )
    await lab.objects.create(registry.PERSISTENT_VOLUME_CLAIMS, PersistentVolumeClaim(metadata=meta("p"), spec=spec))
    assert [problem.reason for problem in missing(vmi, lab.objects)] == ["PVCNotBound"]
    await lab.settle()
    assert missing(vmi, lab.objects) == []
    assert claims_of(vmi) == {"p"}


async def test_a_data_volume_must_be_filled(lab: Lab) -> None:
    vmi = using(
        Volume(name="a", data_volume=DataVolumeSource(name="d")),
        Volume(name="b", persistent_volume_claim=ClaimSource(claim_name="d")),
    )
    assert [problem.reason for problem in missing(vmi, lab.objects)] == ["FailedPvcNotFound", "FailedPvcNotFound"]
    spec = DataVolumeSpec(
        source=DataVolumeImport(blank=BlankSource()),
        storage=StorageSpec(resources=StorageResources(requests={"storage": "1Mi"})),
    )
    await lab.objects.create(registry.DATA_VOLUMES, DataVolume(metadata=meta("d"), spec=spec))
    assert missing(vmi, lab.objects)[0].message == 'DataVolume "d" is Pending'
    await lab.settle()
    assert missing(vmi, lab.objects) == []


async def test_optional_means_optional(lab: Lab) -> None:
    assert missing(using(Volume(name="a", secret=SecretSource(secret_name="x", optional=True))), lab.objects) == []
    (problem,) = missing(using(Volume(name="a", secret=SecretSource(secret_name="x"))), lab.objects)
    assert problem.message == 'secret "x" not found'
    assert not problem.storage
