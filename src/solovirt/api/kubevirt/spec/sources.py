"""volumes[] and networks[] (KubeVirt api core/v1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.meta import Model


class ContainerDiskSource(Model):
    image: str
    image_pull_secret: str = ""
    image_pull_policy: str = ""
    path: str = ""


class ClaimSource(Model):
    claim_name: str
    read_only: bool | None = None
    hotpluggable: bool | None = None


class DataVolumeSource(Model):
    name: str
    hotpluggable: bool | None = None


class EphemeralClaim(Model):
    claim_name: str
    read_only: bool | None = None


class EphemeralSource(Model):
    persistent_volume_claim: EphemeralClaim


class EmptyDiskSource(Model):
    capacity: Quantity


class HostDiskSource(Model):
    path: str
    type: str
    capacity: Quantity | None = None
    shared: bool | None = None


class LocalObjectReference(Model):
    name: str = ""


class CloudInitSource(Model):
    """cloudInitNoCloud and cloudInitConfigDrive have the same fields. The secret keys are userdata and networkdata."""

    user_data: str = ""
    user_data_base64: str = ""
    secret_ref: LocalObjectReference | None = None
    network_data: str = ""
    network_data_base64: str = ""
    network_data_secret_ref: LocalObjectReference | None = None


class SysprepSource(Model):
    """One of the two holds Autounattend.xml or Unattend.xml."""

    secret: LocalObjectReference | None = None
    config_map: LocalObjectReference | None = None


class ConfigMapSource(Model):
    name: str
    optional: bool | None = None
    volume_label: str = ""


class SecretSource(Model):
    secret_name: str
    optional: bool | None = None
    volume_label: str = ""


class FieldReference(Model):
    field_path: str
    api_version: str = ""


class ResourceReference(Model):
    resource: str
    container_name: str = ""
    divisor: Quantity | None = None


class DownwardAPIFile(Model):
    path: str
    field_ref: FieldReference | None = None
    resource_field_ref: ResourceReference | None = None
    mode: int | None = None


class DownwardAPISource(Model):
    fields: list[DownwardAPIFile] = msgspec.field(default_factory=list)
    volume_label: str = ""


class ServiceAccountSource(Model):
    service_account_name: str = ""


class DownwardMetricsSource(Model):
    """``downwardMetrics: {}``."""


class MemoryDumpSource(Model):
    """Set by the API only."""

    claim_name: str
    read_only: bool | None = None
    hotpluggable: bool | None = None


class ContainerPathSource(Model):
    path: str
    read_only: bool | None = None


class Volume(Model):
    """One source each; ``sources()`` names it."""

    name: str
    container_disk: ContainerDiskSource | None = None
    persistent_volume_claim: ClaimSource | None = None
    data_volume: DataVolumeSource | None = None
    ephemeral: EphemeralSource | None = None
    empty_disk: EmptyDiskSource | None = None
    host_disk: HostDiskSource | None = None
    cloud_init_no_cloud: CloudInitSource | None = None
    cloud_init_config_drive: CloudInitSource | None = None
    sysprep: SysprepSource | None = None
    config_map: ConfigMapSource | None = None
    secret: SecretSource | None = None
    downward_api: DownwardAPISource | None = msgspec.field(default=None, name="downwardAPI")
    service_account: ServiceAccountSource | None = None
    downward_metrics: DownwardMetricsSource | None = None
    memory_dump: MemoryDumpSource | None = None
    container_path: ContainerPathSource | None = None

    def sources(self) -> list[str]:
        """The JSON names of the sources that are set (a valid volume has exactly one)."""
        pairs = {
            "containerDisk": self.container_disk,
            "persistentVolumeClaim": self.persistent_volume_claim,
            "dataVolume": self.data_volume,
            "ephemeral": self.ephemeral,
            "emptyDisk": self.empty_disk,
            "hostDisk": self.host_disk,
            "cloudInitNoCloud": self.cloud_init_no_cloud,
            "cloudInitConfigDrive": self.cloud_init_config_drive,
            "sysprep": self.sysprep,
            "configMap": self.config_map,
            "secret": self.secret,
            "downwardAPI": self.downward_api,
            "serviceAccount": self.service_account,
            "downwardMetrics": self.downward_metrics,
            "memoryDump": self.memory_dump,
            "containerPath": self.container_path,
        }
        return [name for name, source in pairs.items() if source is not None]


class UtilityVolume(Model):
    """A hot-plugged helper claim that is no guest disk; ``type`` is MemoryDump or Backup."""

    name: str
    claim_name: str
    read_only: bool | None = None
    type: str = ""


class PodNetwork(Model):
    vm_network_cidr: str = msgspec.field(default="", name="vmNetworkCIDR")
    vm_ipv6_network_cidr: str = msgspec.field(default="", name="vmIPv6NetworkCIDR")


class MultusNetwork(Model):
    """``networkName`` is ``name`` or ``namespace/name`` of a NetworkAttachmentDefinition."""

    network_name: str
    default: bool | None = None


class NetworkResourceClaim(Model):
    claim_name: str = ""
    request_name: str = ""


class Network(Model):
    name: str
    pod: PodNetwork | None = None
    multus: MultusNetwork | None = None
    resource_claim: NetworkResourceClaim | None = None
