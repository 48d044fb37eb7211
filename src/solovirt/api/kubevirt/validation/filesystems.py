"""Rules for filesystems. Source: kubevirt admitters/vmi-create-admitter.go, virtio specification 1.2 (length of a tag).

KubeVirt takes a filesystem without a volume, which then never starts, and any volume for it; here both are refused.
"""

from __future__ import annotations

from solovirt.api.causes import INVALID, NOT_SUPPORTED, Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.validation.devices import check_count, check_same_names
from solovirt.kit.names import label_problem

MAX_FILESYSTEMS = 16
MAX_TAG = 36
SOURCES = ("configMap", "secret", "downwardAPI", "serviceAccount", "persistentVolumeClaim", "dataVolume")
"""Volumes that are directories as well as disks."""
NO_POD = (
    "the ContainerPathVolumes feature gate is disabled: it shares a directory of the virt-launcher pod, and there are"
    " no pods here"
)


def check_filesystems(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of the VMI spec."""
    place, filesystems = f"{field}.domain.devices.filesystems", spec.domain.devices.filesystems
    check_count(causes, filesystems, place, MAX_FILESYSTEMS)
    check_same_names(causes, [filesystem.name for filesystem in filesystems], place)
    volumes = {volume.name: (index, volume) for index, volume in enumerate(spec.volumes)}
    disks = {disk.name for disk in spec.domain.devices.disks}
    for index, filesystem in enumerate(filesystems):
        here = f"{place}[{index}]"
        _check_name(causes, filesystem.name, f"{here}.name")
        if filesystem.virtiofs is None:
            causes.required(f"{here}.virtiofs", "the only way in which filesystems are shared")
        if filesystem.name not in volumes:
            causes.add(INVALID, f"{here}.name", f"{here}.name '{filesystem.name}' not found.")
            continue
        if filesystem.name in disks:
            text = f"{here}.name: volume '{filesystem.name}' is a disk already; it is either a disk or a filesystem"
            causes.add(INVALID, f"{here}.name", text)
        number, volume = volumes[filesystem.name]
        _check_source(causes, volume, f"{field}.volumes[{number}]", f"{here}.name")


def _check_name(causes: Causes, name: str, field: str) -> None:
    if problem := label_problem(name):
        causes.invalid(field, name, problem)
    elif len(name) > MAX_TAG:
        causes.invalid(field, name, f"must be no more than {MAX_TAG} characters: the guest mounts it by this name")


def _check_source(causes: Causes, volume: Volume, field: str, user: str) -> None:
    sources = volume.sources()
    if "containerPath" in sources:
        causes.add(NOT_SUPPORTED, f"{field}.containerPath", f"{field}.containerPath: {NO_POD}")
    elif sources and sources[0] not in SOURCES:
        names = ", ".join(SOURCES)
        causes.add(INVALID, user, f"{user}: a {sources[0]} volume cannot be shared as a filesystem; these can: {names}")
