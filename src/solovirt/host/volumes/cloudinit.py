"""What cloud-init finds on its disk: NoCloud and ConfigDrive, as KubeVirt writes them. Pure.

NoCloud: ``meta-data``, ``user-data``, ``network-config`` on volume ``cidata``. ConfigDrive: ``openstack/latest/
{meta_data.json, user_data, network_data.json}`` on volume ``config-2``. Sources: KubeVirt pkg/cloud-init, cloud-init's
datasource documentation.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from solovirt.api.kubevirt.spec.credentials import AccessCredential, SSHPublicKey
from solovirt.api.kubevirt.spec.sources import CloudInitSource, LocalObjectReference
from solovirt.host.model.bindings import TaggedDevice
from solovirt.kit import json
from solovirt.kit.errors import Invalid, NotFound


class Contents(Protocol):
    """Secrets and ConfigMaps by namespace and name, decoded (no base64); ``None`` where there is none."""

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None: ...

    def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None: ...


class Machine(msgspec.Struct, frozen=True):
    """What a seed says of its machine. ``uuid`` is the firmware's; ``devices`` are those that the manifest tags."""

    namespace: str
    name: str
    hostname: str
    uuid: str
    instance_type: str = ""
    credentials: Sequence[AccessCredential] = ()
    devices: tuple[TaggedDevice, ...] = ()


class Seed(msgspec.Struct, frozen=True):
    label: str
    files: Mapping[str, bytes]


def no_cloud(source: CloudInitSource, machine: Machine, lookup: Contents, field: str) -> Seed:
    """Raises ``NotFound`` or ``Invalid`` that name the field."""
    user, network = _data(source, machine, lookup, field)
    meta: dict[str, object] = {
        "instance-type": machine.instance_type,
        "instance-id": machine.uuid or f"{machine.name}.{machine.namespace}",
        "local-hostname": machine.hostname,
        "public-keys": _keys(machine, lookup, config_drive=False),
    }
    content = {"meta-data": _encoded(meta), "user-data": user}
    if network:
        content["network-config"] = network
    return Seed("cidata", content)


def config_drive(source: CloudInitSource, machine: Machine, lookup: Contents, field: str) -> Seed:
    """Raises ``NotFound`` or ``Invalid`` that name the field."""
    user, network = _data(source, machine, lookup, field)
    meta: dict[str, object] = {
        "instance_type": machine.instance_type,
        "instance_id": f"{machine.name}.{machine.namespace}",
        "local_hostname": machine.hostname,
        "hostname": machine.hostname,
        "uuid": machine.uuid,
        "devices": [msgspec.to_builtins(device) for device in machine.devices],
        "public_keys": _keys(machine, lookup, config_drive=True),
    }
    content = {"openstack/latest/meta_data.json": _encoded(meta), "openstack/latest/user_data": user}
    if network:
        content["openstack/latest/network_data.json"] = network
    return Seed("config-2", content)


def keys_of(credential: AccessCredential) -> SSHPublicKey | None:
    """The credential, if its keys go into a seed."""
    key = credential.ssh_public_key
    if key is None or (key.propagation_method.no_cloud is None and key.propagation_method.config_drive is None):
        return None
    return key


def _encoded(meta: dict[str, object]) -> bytes:
    return json.encode({key: value for key, value in meta.items() if value})


def _keys(machine: Machine, lookup: Contents, *, config_drive: bool) -> dict[str, str]:
    """All values of all secrets, numbered, in the order of their keys."""
    found: list[str] = []
    for credential in machine.credentials:
        key = keys_of(credential)
        if key is None or (key.propagation_method.config_drive is not None) != config_drive:
            continue
        if key.source.secret is None:
            continue
        name = key.source.secret.secret_name
        secret = lookup.secret(machine.namespace, name)
        if secret is None:
            raise NotFound(f'secret "{name}" not found')
        found += [text for _, value in sorted(secret.items()) if (text := value.decode(errors="replace"))]
    return {str(number): text for number, text in enumerate(found)}


def _data(source: CloudInitSource, machine: Machine, lookup: Contents, field: str) -> tuple[bytes, bytes]:
    """(user data, network data); empty where nothing is given."""
    user = _text(source.user_data, source.user_data_base64, f"{field}.userDataBase64")
    if source.secret_ref is not None:
        user = _referred(source.secret_ref, ("userdata", "userData"), machine, lookup, f"{field}.secretRef")
    network = _text(source.network_data, source.network_data_base64, f"{field}.networkDataBase64")
    if source.network_data_secret_ref is not None:
        keys = ("networkdata", "networkData")
        network = _referred(source.network_data_secret_ref, keys, machine, lookup, f"{field}.networkDataSecretRef")
    return user, network


def _text(plain: str, encoded: str, field: str) -> bytes:
    if not encoded:
        return plain.encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(f"{field}: not valid base64 ({error})", field=field) from error


def _referred(
    reference: LocalObjectReference, keys: tuple[str, str], machine: Machine, lookup: Contents, field: str
) -> bytes:
    secret = lookup.secret(machine.namespace, reference.name)
    if secret is None:
        raise NotFound(f'secret "{reference.name}" not found', field=field)
    for key in keys:
        if key in secret:
            return secret[key]
    raise NotFound(f'secret "{reference.name}" has no key {keys[0]} or {keys[1]}', field=field)
