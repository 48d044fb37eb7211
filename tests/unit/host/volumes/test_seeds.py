from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.sources import (
    CloudInitSource,
    ConfigMapSource,
    DownwardAPIFile,
    DownwardAPISource,
    EmptyDiskSource,
    FieldReference,
    LocalObjectReference,
    SecretSource,
    ServiceAccountSource,
    SysprepSource,
    Volume,
)
from solovirt.host.volumes.cloudinit import Machine, Seed
from solovirt.host.volumes.seeds import seed
from solovirt.kit.errors import HostError, Invalid, NotFound, SolovirtError
from tests.unit.host.volumes.fakes import Objects, vmi

VMI = vmi()
MACHINE = Machine("default", "vm", "myhost", "11111111-2222-3333-4444-555555555555")
OBJECTS = Objects(
    secrets={
        "default/s": {"userdata": b"from secret", "networkData": b"net secret"},
        "default/camel": {"userData": b"camel"},
        "default/empty": {},
        "other/hidden": {"userdata": b"x"},
    },
    config_maps={"default/c": {"a": b"1", "b": b"2"}},
)


def made(volume: Volume) -> Seed:
    return seed(volume, VMI, MACHINE, OBJECTS, "spec.volumes[0]")


def no_cloud(**fields: object) -> Volume:
    return Volume(name="v", cloud_init_no_cloud=CloudInitSource(**fields))  # type: ignore[arg-type]


def ref(name: str) -> LocalObjectReference:
    return LocalObjectReference(name=name)


def test_config_map_and_secret_disks() -> None:
    found = made(Volume(name="v", config_map=ConfigMapSource(name="c", volume_label="mylabel")))
    assert found == Seed("mylabel", {"a": b"1", "b": b"2"})
    found = made(Volume(name="v", secret=SecretSource(secret_name="camel")))
    assert found == Seed("cfgdata", {"userData": b"camel"})
    optional = made(Volume(name="v", config_map=ConfigMapSource(name="none", optional=True)))
    assert optional == Seed("cfgdata", {})


@pytest.mark.parametrize(
    ("volume", "kind", "field", "why"),
    [
        (no_cloud(secret_ref=ref("none")), NotFound, "cloudInitNoCloud.secretRef", 'secret "none" not found'),
        (no_cloud(secret_ref=ref("hidden")), NotFound, "cloudInitNoCloud.secretRef", "not found"),
        (no_cloud(secret_ref=ref("empty")), NotFound, "cloudInitNoCloud.secretRef", "no key userdata or userData"),
        (no_cloud(user_data_base64="%%%"), Invalid, "cloudInitNoCloud.userDataBase64", "not valid base64"),
        (Volume(name="v", config_map=ConfigMapSource(name="n")), NotFound, "configMap", 'configmap "n" not found'),
        (Volume(name="v", secret=SecretSource(secret_name="n")), NotFound, "secret", 'secret "n" not found'),
    ],
)
def test_missing_and_wrong(volume: Volume, kind: type[SolovirtError], field: str, why: str) -> None:
    with pytest.raises(kind, match=why) as caught:
        made(volume)
    assert caught.value.field == f"spec.volumes[0].{field}"


def test_other_volumes_are_no_seeds() -> None:
    with pytest.raises(Invalid):
        made(Volume(name="v", empty_disk=EmptyDiskSource(capacity="1Gi")))


CONFIG = Objects(
    config_maps={"default/win": {"Autounattend.xml": b"<x/>", "script.ps1": b"y"}, "default/odd": {"a": b""}},
    secrets={"default/win": {"unattend.xml": b"<s/>"}},
)


def sysprep(**source: object) -> Seed:
    volume = Volume(name="v", sysprep=SysprepSource(**source))  # type: ignore[arg-type]
    return seed(volume, VMI, MACHINE, CONFIG, "spec.volumes[0]")


def test_sysprep() -> None:
    found = sysprep(config_map=ref("win"))
    assert found == Seed("unattendCD", {"Autounattend.xml": b"<x/>", "script.ps1": b"y"})
    assert sysprep(secret=ref("win")).files == {"unattend.xml": b"<s/>"}
    with pytest.raises(Invalid, match=r"should contain autounattend\.xml or unattend\.xml but neither were found"):
        sysprep(config_map=ref("odd"))
    with pytest.raises(NotFound, match='configmap "none" not found'):
        sysprep(config_map=ref("none"))


def test_the_downward_api() -> None:
    name = FieldReference(field_path="metadata.name")
    source = DownwardAPISource(fields=[DownwardAPIFile(path="a/name", field_ref=name)], volume_label="me")
    assert made(Volume(name="v", downward_api=source)) == Seed("me", {"a/name": b"vm"})
    source.fields.append(DownwardAPIFile(path="b", field_ref=FieldReference(field_path="spec.nodeName")))
    with pytest.raises(Invalid) as caught:
        made(Volume(name="v", downward_api=source))
    assert caught.value.field == "spec.volumes[0].downwardAPI.fields[1]"


def test_there_are_no_service_accounts() -> None:
    with pytest.raises(HostError, match="without a cluster there is no token") as caught:
        made(Volume(name="v", service_account=ServiceAccountSource(service_account_name="default")))
    assert caught.value.field == "spec.volumes[0].serviceAccount"
