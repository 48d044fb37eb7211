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
    __known_unsupported__ = frozenset({"hotpluggable"})

    claim_name: str
    read_only: bool | None = None


class DataVolumeSource(Model):
    __known_unsupported__ = frozenset({"hotpluggable"})

    name: str


class EmptyDiskSource(Model):
    capacity: Quantity


class HostDiskSource(Model):
    __known_unsupported__ = frozenset({"shared"})

    path: str
    type: str
    capacity: Quantity | None = None


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


class ConfigMapSource(Model):
    name: str
    optional: bool | None = None
    volume_label: str = ""


class SecretSource(Model):
    secret_name: str
    optional: bool | None = None
    volume_label: str = ""


class Volume(Model):
    """One source each; ``source()`` names it."""

    __known_unsupported__ = frozenset(
        {"ephemeral", "sysprep", "downwardAPI", "serviceAccount", "downwardMetrics", "memoryDump", "containerPath"}
    )

    name: str
    container_disk: ContainerDiskSource | None = None
    persistent_volume_claim: ClaimSource | None = None
    data_volume: DataVolumeSource | None = None
    empty_disk: EmptyDiskSource | None = None
    host_disk: HostDiskSource | None = None
    cloud_init_no_cloud: CloudInitSource | None = None
    cloud_init_config_drive: CloudInitSource | None = None
    config_map: ConfigMapSource | None = None
    secret: SecretSource | None = None

    def sources(self) -> list[str]:
        """The JSON names of the sources that are set (a valid volume has exactly one)."""
        pairs = {
            "containerDisk": self.container_disk,
            "persistentVolumeClaim": self.persistent_volume_claim,
            "dataVolume": self.data_volume,
            "emptyDisk": self.empty_disk,
            "hostDisk": self.host_disk,
            "cloudInitNoCloud": self.cloud_init_no_cloud,
            "cloudInitConfigDrive": self.cloud_init_config_drive,
            "configMap": self.config_map,
            "secret": self.secret,
        }
        return [name for name, source in pairs.items() if source is not None]


class PodNetwork(Model):
    __known_unsupported__ = frozenset({"vmIPv6NetworkCIDR"})

    vm_network_cidr: str = msgspec.field(default="", name="vmNetworkCIDR")


class Network(Model):
    __known_unsupported__ = frozenset({"multus", "resourceClaim"})

    name: str
    pod: PodNetwork | None = None
