"""What is in the disks that are made of a VMI's own data: file names and bytes, as KubeVirt writes them. Pure.

cloud-init, ConfigMaps, Secrets, sysprep, the downward API. Source: KubeVirt pkg/config.
"""

from __future__ import annotations

from collections.abc import Mapping

from solovirt.api.kubevirt import downward
from solovirt.api.kubevirt.spec.sources import DownwardAPISource, SysprepSource, Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.host.volumes import cloudinit
from solovirt.host.volumes.cloudinit import Contents, Machine, Seed
from solovirt.kit.errors import HostError, Invalid, NotFound

CONFIG_LABEL = "cfgdata"
"""Volume id of disks without ``volumeLabel``."""
SYSPREP_LABEL = "unattendCD"
_ANSWERS = ("autounattend.xml", "unattend.xml")
"""What Windows looks for, in any case of letters."""


def seed(volume: Volume, vmi: VirtualMachineInstance, machine: Machine, lookup: Contents, field: str) -> Seed:
    """The content of a volume. Raises ``NotFound``, ``Invalid`` or ``HostError`` that name the field."""
    if volume.cloud_init_no_cloud is not None:
        return cloudinit.no_cloud(volume.cloud_init_no_cloud, machine, lookup, f"{field}.cloudInitNoCloud")
    if volume.cloud_init_config_drive is not None:
        return cloudinit.config_drive(volume.cloud_init_config_drive, machine, lookup, f"{field}.cloudInitConfigDrive")
    if volume.config_map is not None:
        config = volume.config_map
        found = lookup.config_map(machine.namespace, config.name)
        return _plain(found, "configmap", config.name, config.volume_label, config.optional, f"{field}.configMap")
    if volume.secret is not None:
        secret = volume.secret
        found = lookup.secret(machine.namespace, secret.secret_name)
        return _plain(found, "secret", secret.secret_name, secret.volume_label, secret.optional, f"{field}.secret")
    if volume.sysprep is not None:
        return _sysprep(volume.sysprep, machine.namespace, lookup, f"{field}.sysprep")
    if volume.downward_api is not None:
        return _downward(volume.downward_api, vmi, f"{field}.downwardAPI")
    if volume.service_account is not None:
        name = volume.service_account.service_account_name
        text = f'service account "{name}": without a cluster there is no token that a guest could use'
        raise HostError(text, reason="NoServiceAccounts", field=f"{field}.serviceAccount", hint="use a secret volume")
    raise Invalid(f"{field}: no disk can be made of this volume", field=field)


def _plain(
    found: Mapping[str, bytes] | None, kind: str, name: str, label: str, optional: bool | None, field: str
) -> Seed:
    if found is None and not optional:
        raise NotFound(f'{kind} "{name}" not found', field=field)
    return Seed(label or CONFIG_LABEL, dict(found or {}))


def _sysprep(source: SysprepSource, namespace: str, lookup: Contents, field: str) -> Seed:
    if source.secret is not None:
        content = _plain(lookup.secret(namespace, source.secret.name), "secret", source.secret.name, "", False, field)
    elif source.config_map is not None:
        name = source.config_map.name
        content = _plain(lookup.config_map(namespace, name), "configmap", name, "", False, field)
    else:
        raise Invalid(f"{field}: exactly one of configMap and secret must be set", field=field)
    if not any(name.lower() in _ANSWERS for name in content.files):
        text = f"Sysprep drive should contain {_ANSWERS[0]} or {_ANSWERS[1]} but neither were found."
        raise Invalid(f"{field}: {text}", field=field)
    return Seed(SYSPREP_LABEL, content.files)


def _downward(source: DownwardAPISource, vmi: VirtualMachineInstance, field: str) -> Seed:
    content: dict[str, bytes] = {}
    for index, file in enumerate(source.fields):
        try:
            content[file.path] = downward.content(vmi, file)
        except ValueError as error:
            place = f"{field}.fields[{index}]"
            raise Invalid(f"{place}: {error}", field=place) from error
    return Seed(source.volume_label or CONFIG_LABEL, content)
