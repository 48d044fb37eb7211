"""What cloud-init finds."""

from __future__ import annotations

import base64

from solovirt.api.kubevirt.spec.credentials import (
    AccessCredential,
    CloudInitPropagation,
    CredentialSource,
    SecretReference,
    SSHAgentPropagation,
    SSHPropagation,
    SSHPublicKey,
)
from solovirt.api.kubevirt.spec.sources import CloudInitSource, LocalObjectReference, Volume
from solovirt.host.model.bindings import TaggedDevice
from solovirt.host.volumes.cloudinit import Machine, Seed
from solovirt.host.volumes.seeds import seed
from solovirt.kit import json
from tests.unit.host.volumes.fakes import Objects, vmi

VMI = vmi()
MACHINE = Machine("default", "vm", "myhost", "11111111-2222-3333-4444-555555555555")
OBJECTS = Objects(
    secrets={
        "default/s": {"userdata": b"from secret", "networkData": b"net secret"},
        "default/camel": {"userData": b"camel"},
        "default/keys": {"b": b"ssh-rsa B", "a": b"ssh-rsa A", "c": b""},
        "default/more": {"x": b"ssh-rsa X"},
    }
)


def made(volume: Volume, machine: Machine = MACHINE) -> Seed:
    return seed(volume, VMI, machine, OBJECTS, "spec.volumes[0]")


def no_cloud(**fields: object) -> Volume:
    return Volume(name="v", cloud_init_no_cloud=CloudInitSource(**fields))  # type: ignore[arg-type]


def ref(name: str) -> LocalObjectReference:
    return LocalObjectReference(name=name)


def keys(secret: str, **method: object) -> AccessCredential:
    source = CredentialSource(secret=SecretReference(secret_name=secret))
    propagation = SSHPropagation(**method)  # type: ignore[arg-type]
    return AccessCredential(ssh_public_key=SSHPublicKey(source=source, propagation_method=propagation))


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
    found = seed(no_cloud(user_data="x"), VMI, Machine("ns", "vm", "h", ""), OBJECTS, "f")
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


def test_public_keys_go_into_the_seed_of_their_method() -> None:
    credentials = [
        keys("keys", no_cloud=CloudInitPropagation()),
        keys("more", config_drive=CloudInitPropagation()),
        keys("none", qemu_guest_agent=SSHAgentPropagation(users=["joe"])),
        keys("more", no_cloud=CloudInitPropagation()),
    ]
    machine = Machine("default", "vm", "h", "u", instance_type="u1.small", credentials=credentials)
    found = json.decode_object(made(no_cloud(user_data="x"), machine).files["meta-data"])
    assert found["public-keys"] == {"0": "ssh-rsa A", "1": "ssh-rsa B", "2": "ssh-rsa X"}
    assert found["instance-type"] == "u1.small"
    drive = Volume(name="v", cloud_init_config_drive=CloudInitSource(user_data="x"))
    found = json.decode_object(made(drive, machine).files["openstack/latest/meta_data.json"])
    assert found["public_keys"] == {"0": "ssh-rsa X"}
    assert found["instance_type"] == "u1.small"


def test_tagged_devices() -> None:
    device = TaggedDevice("nic", "pci", "0000:01:00.0", mac="02:00:00:00:00:01", tags=("lan",))
    machine = Machine("default", "vm", "h", "u", devices=(device,))
    drive = Volume(name="v", cloud_init_config_drive=CloudInitSource(user_data="x"))
    found = json.decode_object(made(drive, machine).files["openstack/latest/meta_data.json"])
    assert found["devices"] == [
        {"type": "nic", "bus": "pci", "address": "0000:01:00.0", "mac": "02:00:00:00:00:01", "tags": ["lan"]}
    ]
