"""The objects that a VMI refers to, over the store; and what of them is still missing.

Source of the reasons: kubevirt pkg/virt-controller/watch/vmi and the kubelet.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from solovirt.api import registry
from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim
from solovirt.api.kubevirt.spec.sources import LocalObjectReference, Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.store.objects import Objects


class StoreLookup:
    """``host.volumes.prepare.Lookup`` over the store."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        found = self._objects.find(registry.SECRETS, namespace, name)
        return {key: base64.b64decode(value) for key, value in found.data.items()} if found is not None else None

    def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        found = self._objects.find(registry.CONFIG_MAPS, namespace, name)
        if found is None:
            return None
        plain = {key: value.encode() for key, value in found.data.items()}
        return plain | {key: base64.b64decode(value) for key, value in found.binary_data.items()}

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        return self._objects.find(registry.PERSISTENT_VOLUME_CLAIMS, namespace, name)


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a VMI waits for: the reason for its conditions, and a sentence. ``storage``: it is a volume."""

    reason: str
    message: str
    storage: bool = False


_NEEDS_SOMEBODY = ("FailedPvcNotFound", "FailedMount")


def missing(vmi: VirtualMachineInstance, objects: Objects) -> list[Missing]:
    """Everything that is not there yet; what somebody has to do something about comes first."""
    namespace = vmi.metadata.namespace
    found = [problem for volume in vmi.spec.volumes for problem in _of_volume(volume, namespace, objects)]
    found += [problem for reference in _credentials(vmi) for problem in _secret(reference, namespace, objects)]
    return sorted(found, key=lambda problem: problem.reason not in _NEEDS_SOMEBODY)


def claims_of(vmi: VirtualMachineInstance) -> set[str]:
    """Names of the claims that the VMI's disks are on."""
    claims = {v.persistent_volume_claim.claim_name for v in vmi.spec.volumes if v.persistent_volume_claim is not None}
    claims |= {v.ephemeral.persistent_volume_claim.claim_name for v in vmi.spec.volumes if v.ephemeral is not None}
    return claims | {v.data_volume.name for v in vmi.spec.volumes if v.data_volume is not None}


def _credentials(vmi: VirtualMachineInstance) -> Iterator[LocalObjectReference]:
    """Secrets that hold SSH keys or passwords: a machine does not start without them, as in KubeVirt."""
    for credential in vmi.spec.access_credentials:
        for given in (credential.ssh_public_key, credential.user_password):
            if given is not None and given.source.secret is not None:
                yield LocalObjectReference(name=given.source.secret.secret_name)


def _of_volume(volume: Volume, namespace: str, objects: Objects) -> Iterator[Missing]:
    if volume.data_volume is not None:
        yield from _data_volume(volume.data_volume.name, namespace, objects)
    elif volume.persistent_volume_claim is not None:
        yield from _claim(volume.persistent_volume_claim.claim_name, namespace, objects)
    elif volume.ephemeral is not None:
        yield from _claim(volume.ephemeral.persistent_volume_claim.claim_name, namespace, objects)
    elif volume.secret is not None and not volume.secret.optional:
        yield from _secret(LocalObjectReference(name=volume.secret.secret_name), namespace, objects)
    elif volume.config_map is not None and not volume.config_map.optional:
        yield from _config_map(volume.config_map.name, namespace, objects)
    elif volume.sysprep is not None:
        yield from _secret(volume.sysprep.secret, namespace, objects)
        if volume.sysprep.config_map is not None:
            yield from _config_map(volume.sysprep.config_map.name, namespace, objects)
    else:
        for source in (volume.cloud_init_no_cloud, volume.cloud_init_config_drive):
            if source is not None:
                yield from _secret(source.secret_ref, namespace, objects)
                yield from _secret(source.network_data_secret_ref, namespace, objects)


def _config_map(name: str, namespace: str, objects: Objects) -> Iterator[Missing]:
    if objects.find(registry.CONFIG_MAPS, namespace, name) is None:
        yield Missing("FailedMount", f'configmap "{name}" not found')


def _secret(reference: LocalObjectReference | None, namespace: str, objects: Objects) -> Iterator[Missing]:
    if reference is not None and objects.find(registry.SECRETS, namespace, reference.name) is None:
        yield Missing("FailedMount", f'secret "{reference.name}" not found')


def _data_volume(name: str, namespace: str, objects: Objects) -> Iterator[Missing]:
    found = objects.find(registry.DATA_VOLUMES, namespace, name)
    if found is None:
        # The claim may have outlived its DataVolume.
        if objects.find(registry.PERSISTENT_VOLUME_CLAIMS, namespace, name) is not None:
            yield from _claim(name, namespace, objects)
        else:
            yield Missing("FailedPvcNotFound", f'DataVolume "{name}" not found', storage=True)
    elif found.status.phase != "Succeeded":
        phase = found.status.phase or "Pending"
        why = next((one.message for one in found.status.conditions if one.type == "Running" and one.message), "")
        text = f'DataVolume "{name}" is {phase}' + (f": {why}" if why else "")
        yield Missing("NotAllDVsReady", text, storage=True)
    else:
        yield from _claim(name, namespace, objects)


def _claim(name: str, namespace: str, objects: Objects) -> Iterator[Missing]:
    claim = objects.find(registry.PERSISTENT_VOLUME_CLAIMS, namespace, name)
    filling = objects.find(registry.DATA_VOLUMES, namespace, name)
    if claim is None and filling is not None:
        yield Missing("NotAllDVsReady", f'PVC "{name}" is still to be made by its DataVolume', True)
        return
    if claim is None:
        yield Missing("FailedPvcNotFound", f"PVC {namespace}/{name} does not exist, waiting for it to appear", True)
        return
    if claim.metadata.deletion_timestamp is not None:
        yield Missing("FailedPvcNotFound", f"PVC {namespace}/{name} is being deleted", True)
    elif claim.status.phase != "Bound":
        yield Missing("PVCNotBound", f"PVC {namespace}/{name} is not bound yet", True)
    else:
        owned = filling is not None and any(ref.uid == filling.metadata.uid for ref in claim.metadata.owner_references)
        if filling is not None and owned and filling.status.phase != "Succeeded":
            yield Missing("NotAllDVsReady", f'PVC "{name}" is still being filled by its DataVolume', True)
