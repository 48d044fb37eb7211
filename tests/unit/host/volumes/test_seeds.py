from __future__ import annotations

import base64

import pytest

from solovirt.api.kubevirt.spec.sources import (
    CloudInitSource,
    ConfigMapSource,
    EmptyDiskSource,
    LocalObjectReference,
    SecretSource,
    Volume,
)
from solovirt.host.volumes.seeds import Machine, Seed, seed
from solovirt.kit import json
from solovirt.kit.errors import Invalid, NotFound, SolovirtError
from tests.unit.host.volumes.fakes import Objects

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
    return seed(volume, MACHINE, OBJECTS, "spec.volumes[0]")


def no_cloud(**fields: object) -> Volume:
    return Volume(name="v", cloud_init_no_cloud=CloudInitSource(**fields))  # type: ignore[arg-type]


def ref(name: str) -> LocalObjectReference:
    return LocalObjectReference(name=name)


def test_no_cloud() -> None:
    found = made(no_cloud(user_data="#cloud-config\n", network_data="version: 2\n"))
    assert found.label == "cidata"
    assert json.decode_object(found.files["meta-data"]) == {
        "instance-id": MACHINE.uuid,
        "local-hostname": "myhost",
    }
    assert found.files["user-data"] == b"#cloud-config\n"
    assert found.files["network-config"] == b"version: 2\n"


def test_no_cloud_without_network_data_or_uuid() -> None:
    found = seed(no_cloud(user_data="x"), Machine("ns", "vm", "h", ""), OBJECTS, "f")
    assert set(found.files) == {"meta-data", "user-data"}
    assert json.decode_object(found.files["meta-data"])["instance-id"] == "vm.ns"


def test_config_drive() -> None:
    source = CloudInitSource(user_data="#!/bin/sh\n", network_data="{}")
    found = made(Volume(name="v", cloud_init_config_drive=source))
    assert found.label == "config-2"
    assert json.decode_object(found.files["openstack/latest/meta_data.json"]) == {
        "instance_id": "vm.default",
        "local_hostname": "myhost",
        "hostname": "myhost",
        "uuid": MACHINE.uuid,
    }
    assert found.files["openstack/latest/user_data"] == b"#!/bin/sh\n"
    assert found.files["openstack/latest/network_data.json"] == b"{}"


def test_base64_and_secrets() -> None:
    encoded = base64.b64encode(b"\x00binary").decode()
    assert made(no_cloud(user_data_base64=encoded)).files["user-data"] == b"\x00binary"
    found = made(no_cloud(secret_ref=ref("s"), network_data_secret_ref=ref("s")))
    assert (found.files["user-data"], found.files["network-config"]) == (b"from secret", b"net secret")
    assert made(no_cloud(secret_ref=ref("camel"))).files["user-data"] == b"camel"


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
