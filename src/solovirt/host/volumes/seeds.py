"""What is in cloud-init, ConfigMap and Secret disks: file names and bytes, as KubeVirt writes them. Pure.

NoCloud: ``meta-data``, ``user-data``, ``network-config`` on volume ``cidata``. ConfigDrive: ``openstack/latest/
{meta_data.json, user_data, network_data.json}`` on volume ``config-2``. Sources: KubeVirt pkg/cloud-init, cloud-init's
datasource documentation.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from solovirt.api.kubevirt.spec.sources import CloudInitSource, LocalObjectReference, Volume
from solovirt.kit import json
from solovirt.kit.errors import Invalid, NotFound

CONFIG_LABEL = "cfgdata"
"""Volume id of ConfigMap and Secret disks without ``volumeLabel``."""


class Contents(Protocol):
    """Secrets and ConfigMaps by namespace and name, decoded (no base64); ``None`` where there is none."""

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None: ...

    def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None: ...


@dataclass(frozen=True, slots=True)
class Machine:
    """What a seed says of its machine. ``uuid`` is the firmware's."""

    namespace: str
    name: str
    hostname: str
    uuid: str


@dataclass(frozen=True, slots=True)
class Seed:
    label: str
    files: Mapping[str, bytes]


SOURCES = ("cloudInitNoCloud", "cloudInitConfigDrive", "configMap", "secret")


def seed(volume: Volume, machine: Machine, lookup: Contents, field: str) -> Seed:
    """The content of one of ``SOURCES``. Raises ``NotFound`` or ``Invalid`` that name the field."""
    if volume.cloud_init_no_cloud is not None:
        field = f"{field}.cloudInitNoCloud"
        return _no_cloud(machine, *_cloud_init(volume.cloud_init_no_cloud, machine, lookup, field))
    if volume.cloud_init_config_drive is not None:
        field = f"{field}.cloudInitConfigDrive"
        return _config_drive(machine, *_cloud_init(volume.cloud_init_config_drive, machine, lookup, field))
    if volume.config_map is not None:
        config = volume.config_map
        found = lookup.config_map(machine.namespace, config.name)
        return _plain(found, "configmap", config.name, config.volume_label, config.optional, f"{field}.configMap")
    if volume.secret is not None:
        secret = volume.secret
        found = lookup.secret(machine.namespace, secret.secret_name)
        return _plain(found, "secret", secret.secret_name, secret.volume_label, secret.optional, f"{field}.secret")
    raise Invalid(f"{field}: not a cloud-init, configMap or secret volume", field=field)


def _plain(
    found: Mapping[str, bytes] | None, kind: str, name: str, label: str, optional: bool | None, field: str
) -> Seed:
    if found is None and not optional:
        raise NotFound(f'{kind} "{name}" not found', field=field)
    return Seed(label or CONFIG_LABEL, dict(found or {}))


def _cloud_init(source: CloudInitSource, machine: Machine, lookup: Contents, field: str) -> tuple[bytes, bytes]:
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


def _no_cloud(machine: Machine, user: bytes, network: bytes) -> Seed:
    meta = {"instance-id": machine.uuid or f"{machine.name}.{machine.namespace}", "local-hostname": machine.hostname}
    content = {"meta-data": json.encode(meta), "user-data": user}
    if network:
        content["network-config"] = network
    return Seed("cidata", content)


def _config_drive(machine: Machine, user: bytes, network: bytes) -> Seed:
    meta = {
        "instance_id": f"{machine.name}.{machine.namespace}",
        "local_hostname": machine.hostname,
        "hostname": machine.hostname,
        "uuid": machine.uuid,
    }
    content = {
        "openstack/latest/meta_data.json": json.encode({key: value for key, value in meta.items() if value}),
        "openstack/latest/user_data": user,
    }
    if network:
        content["openstack/latest/network_data.json"] = network
    return Seed("config-2", content)
