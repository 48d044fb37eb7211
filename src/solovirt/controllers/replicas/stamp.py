"""The VMs that a pool makes: their names, what of them carries their index, which template they are of. Pure.

Source: kubevirt pkg/virt-controller/watch/pool/pool.go, ``indexVMSpec`` and ``getRevisionName``. KubeVirt keeps every
revision of a pool as an object; here the marks are hashes of the template, which say the same without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from itertools import count

from solovirt.api import registry
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.sources import CloudInitSource, Volume
from solovirt.api.kubevirt.virtualmachine import VirtualMachine, VirtualMachineSpec
from solovirt.api.meta import ObjectMeta
from solovirt.api.pool.virtualmachinepool import VirtualMachinePool
from solovirt.controllers.vm.factory import owner
from solovirt.kit.json import canonical, clone

REVISION = "kubevirt.io/vm-pool-revision-name"
"""Label of a VM, and of its VMI: which template of the pool it is of."""
MADE_OF = "pool.solovirt.io/made-of"
"""Annotation of a VM's template, and so of its VMI: hashes of the instance template and of the DataVolume templates."""
FINALIZER = "pool.kubevirt.io/finalizer"

_DIGITS = 10
_NAME_IN_LABEL = 50


def names(pool: str, taken: Container[str]) -> Iterator[str]:
    """``<pool>-0``, ``<pool>-1``, … without those that are taken."""
    return (name for index in count() if (name := f"{pool}-{index}") not in taken)


def index_of(name: str) -> int:
    """The number at the end of a VM's name; 0 for a name without one."""
    number = name.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0


def revision_of(pool: VirtualMachinePool) -> str:
    """Changes with what VMs are made of, and with nothing else. Fits into a label."""
    spec = pool.spec
    return f"{pool.metadata.name[:_NAME_IN_LABEL]}-{_hash(spec.virtual_machine_template, spec.name_generation)}"


def make_machine(pool: VirtualMachinePool, name: str) -> VirtualMachine:
    """The VM of that name, as it is to be created."""
    made = VirtualMachine(
        metadata=ObjectMeta(
            name=name,
            namespace=pool.metadata.namespace,
            owner_references=[owner(pool, registry.POOLS.api_version, registry.POOLS.kind)],
        ),
        spec=clone(pool.spec.virtual_machine_template.spec),
    )
    update_machine(pool, made)
    return made


def update_machine(pool: VirtualMachinePool, vm: VirtualMachine) -> None:
    """Gives a VM what the pool's template says now. Its firmware keeps the identity that the guest knows."""
    template = clone(pool.spec.virtual_machine_template)
    revision = revision_of(pool)
    before = vm.spec.template.spec.domain.firmware
    vm.metadata.labels = {**template.metadata.labels, REVISION: revision}
    vm.metadata.annotations = template.metadata.annotations
    vm.spec = _indexed(template.spec, pool, index_of(vm.metadata.name))
    inner = vm.spec.template
    inner.metadata.labels[REVISION] = revision
    spec = pool.spec.virtual_machine_template.spec
    inner.metadata.annotations[MADE_OF] = f"{_hash(spec.template)}-{_hash(spec.data_volume_templates)}"
    if before is not None and (before.uuid or before.serial):
        firmware = inner.spec.domain.firmware = inner.spec.domain.firmware or Firmware()
        firmware.uuid = before.uuid or firmware.uuid
        firmware.serial = before.serial or firmware.serial


def _hash(*values: object) -> str:
    return hashlib.sha256(b"\n".join(map(canonical, values))).hexdigest()[:_DIGITS]


def _indexed(spec: VirtualMachineSpec, pool: VirtualMachinePool, index: int) -> VirtualMachineSpec:
    suffix = f"-{index}"
    own: dict[str, str] = {}
    for template in spec.data_volume_templates:
        own[template.metadata.name] = template.metadata.name + suffix
        template.metadata.name += suffix
    generation = pool.spec.name_generation
    maps = generation is not None and bool(generation.append_index_to_config_map_refs)
    secrets = generation is not None and bool(generation.append_index_to_secret_refs)
    for volume in spec.template.spec.volumes:
        _index_disks(volume, own)
        if maps:
            _index_config_maps(volume, suffix)
        if secrets:
            _index_secrets(volume, suffix)
    return spec


def _index_disks(volume: Volume, own: dict[str, str]) -> None:
    """References to the pool's own DataVolumes; others are shared by all VMs."""
    claim, data_volume = volume.persistent_volume_claim, volume.data_volume
    if claim is not None:
        claim.claim_name = own.get(claim.claim_name, claim.claim_name)
    if data_volume is not None:
        data_volume.name = own.get(data_volume.name, data_volume.name)


def _index_config_maps(volume: Volume, suffix: str) -> None:
    if volume.config_map is not None:
        volume.config_map.name += suffix
    if volume.sysprep is not None and volume.sysprep.config_map is not None:
        volume.sysprep.config_map.name += suffix


def _index_secrets(volume: Volume, suffix: str) -> None:
    if volume.secret is not None:
        volume.secret.secret_name += suffix
    if volume.sysprep is not None and volume.sysprep.secret is not None:
        volume.sysprep.secret.name += suffix
    for seed in (volume.cloud_init_no_cloud, volume.cloud_init_config_drive):
        if seed is not None:
            _index_seed(seed, suffix)


def _index_seed(seed: CloudInitSource, suffix: str) -> None:
    for ref in (seed.secret_ref, seed.network_data_secret_ref):
        if ref is not None:
            ref.name += suffix
