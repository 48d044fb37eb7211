"""Rules for volumes. Source: kubevirt admitters/vmi-create-admitter.go."""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api.causes import INVALID, NOT_SUPPORTED, Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import (
    CloudInitSource,
    ContainerDiskSource,
    HostDiskSource,
    SysprepSource,
    Volume,
)
from solovirt.api.kubevirt.validation.devices import check_count, check_same_names
from solovirt.api.kubevirt.validation.downward import check_downward_file
from solovirt.api.kubevirt.validation.text import (
    check_file_path,
    check_image,
    check_pull,
    check_reference,
    check_volume_label,
    is_clean_path,
)
from solovirt.api.quantities import check_positive
from solovirt.kit.base64text import decoded_base64
from solovirt.kit.names import label_problem

MAX_VOLUMES = 256
HOST_DISK_TYPES = ("Disk", "DiskOrCreate")
RESERVED_PATHS = ("/var/run/kubevirt", "/var/run/libvirt")


def check_volumes(causes: Causes, volumes: list[Volume], field: str) -> None:
    """``field`` is the path of the list."""
    check_count(causes, volumes, field, MAX_VOLUMES)
    check_same_names(causes, [volume.name for volume in volumes], field)
    for index, volume in enumerate(volumes):
        place = f"{field}[{index}]"
        if problem := label_problem(volume.name):
            causes.invalid(f"{place}.name", volume.name, problem)
        if len(volume.sources()) != 1:
            causes.add(INVALID, place, f"{place} must have exactly one source type set")
        _check_sources(causes, volume, place)
    _check_single(causes, volumes, field)


def check_volume_use(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """What volumes and the devices that show them must agree on; ``field`` is the path of the VMI spec."""
    disks = {disk.name for disk in spec.domain.devices.disks}
    shared = {filesystem.name for filesystem in spec.domain.devices.filesystems}
    for index, volume in enumerate(spec.volumes):
        if volume.container_path is None:
            continue
        place = f"{field}.volumes[{index}]"
        if volume.name in disks:
            text = f"{place}: ContainerPath volume '{volume.name}' must be mapped to a filesystem, not a disk"
            causes.add(INVALID, place, text)
        if volume.name not in shared:
            text = (
                f"{place}: ContainerPath volume '{volume.name}' must have a matching filesystem defined in"
                " spec.domain.devices.filesystems"
            )
            causes.add(INVALID, place, text)
        for prefix in RESERVED_PATHS:
            if volume.container_path.path.startswith(prefix):
                text = f"{place}: ContainerPath volume '{volume.name}' uses reserved path prefix '{prefix}'"
                causes.add(INVALID, f"{place}.containerPath.path", text)
    if spec.utility_volumes:
        place = f"{field}.utilityVolumes"
        text = "cannot create VMI with utility volumes in spec, utility volumes can only be added via hotplug"
        causes.add(INVALID, place, f"{place}: {text}")


def _is_seed(volume: Volume) -> bool:
    return volume.cloud_init_no_cloud is not None or volume.cloud_init_config_drive is not None


def _check_single(causes: Causes, volumes: list[Volume], field: str) -> None:
    """Sources of which a machine has one at most. Every one after the first is named."""
    rules: tuple[tuple[str, Callable[[Volume], bool]], ...] = (
        ("cloudInitNoCloud or cloudInitConfigDrive", _is_seed),
        ("serviceAccount", lambda v: v.service_account is not None),
        ("downwardMetric", lambda v: v.downward_metrics is not None),
        ("memory dump", lambda v: v.memory_dump is not None),
    )
    for name, has in rules:
        for index in [index for index, volume in enumerate(volumes) if has(volume)][1:]:
            causes.add(INVALID, f"{field}[{index}]", f"{field} must have max one {name} volume set")


def _check_sources(causes: Causes, volume: Volume, field: str) -> None:
    """Every source that is there, so that all problems are told even when there are two."""
    if volume.container_disk is not None:
        _check_container_disk(causes, volume.container_disk, f"{field}.containerDisk")
    if volume.persistent_volume_claim is not None:
        claim = volume.persistent_volume_claim.claim_name
        check_reference(causes, claim, f"{field}.persistentVolumeClaim.claimName")
    if volume.data_volume is not None:
        check_reference(causes, volume.data_volume.name, f"{field}.dataVolume.name")
    if volume.empty_disk is not None:
        check_positive(causes, volume.empty_disk.capacity, f"{field}.emptyDisk.capacity")
    if volume.host_disk is not None:
        _check_host_disk(causes, volume.host_disk, f"{field}.hostDisk")
    if volume.cloud_init_no_cloud is not None:
        _check_cloud_init(causes, volume.cloud_init_no_cloud, f"{field}.cloudInitNoCloud")
    if volume.cloud_init_config_drive is not None:
        _check_cloud_init(causes, volume.cloud_init_config_drive, f"{field}.cloudInitConfigDrive")
    if volume.config_map is not None:
        check_reference(causes, volume.config_map.name, f"{field}.configMap.name")
        check_volume_label(causes, volume.config_map.volume_label, f"{field}.configMap.volumeLabel")
    if volume.secret is not None:
        check_reference(causes, volume.secret.secret_name, f"{field}.secret.secretName")
        check_volume_label(causes, volume.secret.volume_label, f"{field}.secret.volumeLabel")
    _check_more_sources(causes, volume, field)


def _check_more_sources(causes: Causes, volume: Volume, field: str) -> None:
    if volume.ephemeral is not None:
        claim = volume.ephemeral.persistent_volume_claim.claim_name
        check_reference(causes, claim, f"{field}.ephemeral.persistentVolumeClaim.claimName")
    if volume.sysprep is not None:
        _check_sysprep(causes, volume.sysprep, f"{field}.sysprep")
    if volume.downward_api is not None:
        check_volume_label(causes, volume.downward_api.volume_label, f"{field}.downwardAPI.volumeLabel")
        for index, file in enumerate(volume.downward_api.fields):
            check_downward_file(causes, file, f"{field}.downwardAPI.fields[{index}]")
    if volume.service_account is not None:
        name = f"{field}.serviceAccount.serviceAccountName"
        check_reference(causes, volume.service_account.service_account_name, name)
    if volume.memory_dump is not None:
        place = f"{field}.memoryDump"
        text = "is set by the memorydump subresource alone, which here needs no volume"
        causes.add(NOT_SUPPORTED, place, f"{place}: {text}")
    if volume.container_path is not None:
        check_file_path(causes, volume.container_path.path, f"{field}.containerPath.path")


def _check_sysprep(causes: Causes, source: SysprepSource, field: str) -> None:
    if (source.secret is None) == (source.config_map is None):
        causes.add(INVALID, field, f"{field}: exactly one of configMap and secret must be set")
    if source.secret is not None:
        check_reference(causes, source.secret.name, f"{field}.secret.name")
    if source.config_map is not None:
        check_reference(causes, source.config_map.name, f"{field}.configMap.name")


def _check_container_disk(causes: Causes, disk: ContainerDiskSource, field: str) -> None:
    check_image(causes, disk.image, f"{field}.image")
    check_pull(causes, disk.image_pull_policy, disk.image_pull_secret, field)
    if disk.path:
        check_file_path(causes, disk.path, f"{field}.path")


def _check_host_disk(causes: Causes, disk: HostDiskSource, field: str) -> None:
    if not disk.path:
        causes.required(f"{field}.path", "is required for hostDisk volume")
    elif not is_clean_path(disk.path) or disk.path == "/":
        text = f"{field}.path must be an absolute path to a file without relative components"
        causes.add(INVALID, f"{field}.path", text)
    if disk.type not in HOST_DISK_TYPES:
        text = f"{field}.type has invalid value {disk.type!r}, allowed are 'Disk' or 'DiskOrCreate'"
        causes.add(INVALID, f"{field}.type", text)
    capacity = check_positive(causes, disk.capacity, f"{field}.capacity")
    if capacity is not None and disk.type == "Disk":
        text = f"{field}.capacity is allowed to pass only with {field}.type equal to 'DiskOrCreate'"
        causes.add(INVALID, f"{field}.capacity", text)


def _check_cloud_init(causes: Causes, source: CloudInitSource, field: str) -> None:
    """More than 2048 bytes inline, which KubeVirt refuses, are taken: nothing is copied to many nodes here."""
    user = [source.user_data, source.user_data_base64, source.secret_ref.name if source.secret_ref else ""]
    reference = source.network_data_secret_ref
    network = [source.network_data, source.network_data_base64, reference.name if reference else ""]
    if sum(map(bool, user)) > 1:
        causes.add(INVALID, field, f"{field} must have only one userdatasource set.")
    if sum(map(bool, network)) > 1:
        causes.add(INVALID, field, f"{field} must have only one networkdata source set.")
    if not any(user) and not any(network):
        text = f"{field} must have at least one userdatasource or one networkdatasource set."
        causes.add(INVALID, field, text)
    _check_base64(causes, source.user_data_base64, f"{field}.userDataBase64")
    _check_base64(causes, source.network_data_base64, f"{field}.networkDataBase64")
    if source.secret_ref is not None:
        check_reference(causes, source.secret_ref.name, f"{field}.secretRef.name")
    if reference is not None:
        check_reference(causes, reference.name, f"{field}.networkDataSecretRef.name")


def _check_base64(causes: Causes, text: str, field: str) -> None:
    if decoded_base64(text) is None:
        causes.add(INVALID, field, f"{field} is not a valid base64 value.")
