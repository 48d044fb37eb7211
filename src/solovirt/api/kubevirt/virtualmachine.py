"""VirtualMachine of kubevirt.io/v1."""

from __future__ import annotations

import msgspec

from solovirt.api.cdi.datavolume import DataVolumeSpec
from solovirt.api.instancetype.matchers import Matcher, MatcherRef
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.meta import Condition, KubeObject, Model, ObjectMeta


class DataVolumeTemplate(Model, kw_only=True):
    """spec.dataVolumeTemplates[]: a DataVolume that lives with the VM."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: DataVolumeSpec
    status: dict[str, object] = msgspec.field(default_factory=dict)


class InstanceTemplate(Model, kw_only=True):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: VirtualMachineInstanceSpec


class VirtualMachineSpec(Model, kw_only=True):
    running: bool | None = None
    run_strategy: str = ""
    template: InstanceTemplate
    data_volume_templates: list[DataVolumeTemplate] = msgspec.field(default_factory=list)
    update_volumes_strategy: str = ""
    instancetype: Matcher | None = None
    preference: Matcher | None = None


class StateChangeRequest(Model):
    """``action`` is Start or Stop; a Stop names the VMI it means by uid."""

    action: str
    uid: str = ""
    data: dict[str, str] = msgspec.field(default_factory=dict)


class StartFailure(Model):
    consecutive_fail_count: int = 0
    last_failed_vmi_uid: str = msgspec.field(default="", name="lastFailedVMIUID")
    retry_after_timestamp: str | None = None


class MemoryDumpRequest(Model):
    """``phase``: Associating, InProgress, Completed or Failed; Dissociating while it is being removed."""

    claim_name: str
    phase: str = ""
    remove: bool = False
    start_timestamp: str | None = None
    end_timestamp: str | None = None
    file_name: str | None = None
    message: str = ""


class VirtualMachineStatus(Model):
    created: bool = False
    ready: bool = False
    printable_status: str = ""
    run_strategy: str = ""
    conditions: list[Condition] = msgspec.field(default_factory=list)
    state_change_requests: list[StateChangeRequest] = msgspec.field(default_factory=list)
    start_failure: StartFailure | None = None
    memory_dump_request: MemoryDumpRequest | None = None
    observed_generation: int = 0
    desired_generation: int = 0
    instancetype_ref: MatcherRef | None = None
    preference_ref: MatcherRef | None = None


class VirtualMachine(KubeObject, kw_only=True):
    spec: VirtualMachineSpec
    status: VirtualMachineStatus = msgspec.field(default_factory=VirtualMachineStatus)
