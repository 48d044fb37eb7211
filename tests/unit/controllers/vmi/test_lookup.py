from __future__ import annotations

import asyncio
import base64

import pytest

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
from solovirt.api.kubevirt.spec.credentials import (
    AccessCredential,
    CloudInitPropagation,
    CredentialSource,
    SecretReference,
    SSHPropagation,
    SSHPublicKey,
)
from solovirt.api.kubevirt.spec.sources import (
    ClaimSource,
    CloudInitSource,
    ConfigMapSource,
    DataVolumeSource,
    EmptyDiskSource,
    EphemeralClaim,
    EphemeralSource,
    LocalObjectReference,
    SecretSource,
    SysprepSource,
    Volume,
)
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.controllers.vmi.lookup import Missing, StoreLookup, claims_of, missing
from tests.unit.controllers.lab import Lab, lone_vmi, refused


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


async def test_an_ephemeral_volume_waits_for_its_claim(lab: Lab) -> None:
    vmi = using(Volume(name="a", ephemeral=EphemeralSource(EphemeralClaim(claim_name="p"))))
    (problem,) = missing(vmi, lab.objects)
    assert problem == Missing(
        "FailedPvcNotFound", "PVC default/p does not exist, waiting for it to appear", storage=True
    )
    assert claims_of(vmi) == {"p"}


async def test_a_claim_that_goes_or_is_being_filled_is_not_used(lab: Lab) -> None:
    vmi = using(Volume(name="a", persistent_volume_claim=ClaimSource(claim_name="d")))
    spec = DataVolumeSpec(
        source=DataVolumeImport(blank=BlankSource()),
        storage=StorageSpec(resources=StorageResources(requests={"storage": "1Mi"})),
    )
    await lab.objects.create(registry.DATA_VOLUMES, DataVolume(metadata=meta("d"), spec=spec))
    (problem,) = missing(vmi, lab.objects)
    assert (problem.reason, problem.message) == (
        "NotAllDVsReady",
        'PVC "d" is still to be made by its DataVolume',
    )
    lab.host.import_gate = asyncio.Event()
    await lab.settle()
    (problem,) = missing(vmi, lab.objects)
    assert (problem.reason, problem.storage) == ("PVCNotBound", True)
    lab.host.import_gate.set()
    await lab.settle()
    assert missing(vmi, lab.objects) == []

    def keep(found: PersistentVolumeClaim) -> bool:
        found.metadata.finalizers.append("tests/kept")
        return True

    await lab.objects.modify(registry.PERSISTENT_VOLUME_CLAIMS, "default", "d", keep)
    await lab.objects.delete(registry.PERSISTENT_VOLUME_CLAIMS, "default", "d")
    (problem,) = missing(vmi, lab.objects)
    assert problem.message == "PVC default/d is being deleted"


def reference(name: str) -> LocalObjectReference:
    return LocalObjectReference(name=name)


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        (Volume(name="a", sysprep=SysprepSource(secret=reference("x"))), ['secret "x" not found']),
        (Volume(name="a", sysprep=SysprepSource(config_map=reference("x"))), ['configmap "x" not found']),
        (Volume(name="a", config_map=ConfigMapSource(name="x")), ['configmap "x" not found']),
        (Volume(name="a", config_map=ConfigMapSource(name="x", optional=True)), []),
        (
            Volume(
                name="a",
                cloud_init_no_cloud=CloudInitSource(secret_ref=reference("x"), network_data_secret_ref=reference("y")),
            ),
            ['secret "x" not found', 'secret "y" not found'],
        ),
        (
            Volume(name="a", cloud_init_config_drive=CloudInitSource(secret_ref=reference("x"))),
            ['secret "x" not found'],
        ),
        (Volume(name="a", empty_disk=EmptyDiskSource(capacity="1Mi")), []),
    ],
)
async def test_what_a_volume_waits_for(lab: Lab, volume: Volume, said: list[str]) -> None:
    found = missing(using(volume), lab.objects)
    assert [problem.message for problem in found] == said
    assert {problem.reason for problem in found} <= {"FailedMount"}


async def test_what_somebody_must_do_comes_first(lab: Lab) -> None:
    key = SSHPublicKey(
        source=CredentialSource(secret=SecretReference(secret_name="keys")),
        propagation_method=SSHPropagation(no_cloud=CloudInitPropagation()),
    )
    await lab.objects.create(registry.PERSISTENT_VOLUME_CLAIMS, unbound())
    vmi = using(Volume(name="a", persistent_volume_claim=ClaimSource(claim_name="p")))
    vmi.spec.access_credentials = [AccessCredential(ssh_public_key=key)]
    found = missing(vmi, lab.objects)
    assert [problem.reason for problem in found] == ["FailedMount", "PVCNotBound"]
    await lab.objects.create(registry.SECRETS, Secret(metadata=meta("keys"), data={}))
    assert [problem.reason for problem in missing(vmi, lab.objects)] == ["PVCNotBound"]


def unbound() -> PersistentVolumeClaim:
    spec = PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"], resources=VolumeResources(requests={"storage": "1Mi"})
    )
    return PersistentVolumeClaim(metadata=meta("p"), spec=spec)


async def test_a_failed_import_says_why(lab: Lab) -> None:
    lab.host.import_error = refused("the server answered 404")
    spec = DataVolumeSpec(
        source=DataVolumeImport(blank=BlankSource()),
        storage=StorageSpec(resources=StorageResources(requests={"storage": "1Mi"})),
    )
    await lab.objects.create(registry.DATA_VOLUMES, DataVolume(metadata=meta("d"), spec=spec))
    await lab.settle()
    (problem,) = missing(using(Volume(name="a", data_volume=DataVolumeSource(name="d"))), lab.objects)
    assert problem.message == 'DataVolume "d" is Failed: the server answered 404'
