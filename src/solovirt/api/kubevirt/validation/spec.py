"""The whole VirtualMachineInstanceSpec: of a VMI (``spec``) and of a VM's template (``spec.template.spec``)."""

from __future__ import annotations

from solovirt.api.causes import INVALID, NOT_SUPPORTED, Causes
from solovirt.api.kubevirt.defaulting.compute import ARCHITECTURE
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.clock import check_clock
from solovirt.api.kubevirt.validation.compute import check_compute
from solovirt.api.kubevirt.validation.credentials import check_credentials
from solovirt.api.kubevirt.validation.devices import check_devices
from solovirt.api.kubevirt.validation.disks import check_disks
from solovirt.api.kubevirt.validation.features import check_features
from solovirt.api.kubevirt.validation.filesystems import check_filesystems
from solovirt.api.kubevirt.validation.firmware import check_firmware, check_firmware_use
from solovirt.api.kubevirt.validation.launchsecurity import check_launch_security
from solovirt.api.kubevirt.validation.lifecycle import check_lifecycle
from solovirt.api.kubevirt.validation.networks import check_networks
from solovirt.api.kubevirt.validation.probes import check_probes
from solovirt.api.kubevirt.validation.scheduling import check_scheduling
from solovirt.api.kubevirt.validation.volumes import check_volume_use, check_volumes
from solovirt.api.meta import ObjectMeta

KNOWN_ARCHITECTURES = ("arm64", "s390x")
RESERVED_LABELS = frozenset(
    f"kubevirt.io/{name}"
    for name in (
        "created-by",
        "migrationJobUID",
        "nodeName",
        "migrationTargetNodeName",
        "schedulable",
        "install-strategy",
    )
)
GATED_ANNOTATIONS = {
    "hooks.kubevirt.io/hookSidecars": "sidecar",
    "kubevirt.io/ignitiondata": "ExperimentalIgnitionSupport",
}
"""What a cluster refuses, too, unless its administrator opened a feature gate, and which."""


def check_spec(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """Every problem of a VMI spec; ``field`` is its path."""
    _check_platform(causes, spec, field)
    check_lifecycle(causes, spec, field)
    check_probes(causes, spec, field)
    check_scheduling(causes, spec, field)
    check_credentials(causes, spec, f"{field}.accessCredentials")
    check_compute(causes, spec, f"{field}.domain")
    check_features(causes, spec.domain, f"{field}.domain")
    check_clock(causes, spec.domain.clock, f"{field}.domain.clock")
    check_launch_security(causes, spec, field)
    if spec.domain.firmware is not None:
        check_firmware(causes, spec.domain.firmware, f"{field}.domain.firmware")
    check_firmware_use(causes, spec, field)
    check_filesystems(causes, spec, field)
    check_devices(causes, spec, field)
    check_disks(causes, spec, field)
    check_volumes(causes, spec.volumes, f"{field}.volumes")
    check_volume_use(causes, spec, field)
    check_networks(causes, spec, field)


def _check_platform(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    if spec.architecture in KNOWN_ARCHITECTURES:
        place = f"{field}.architecture"
        text = f'{place}: Unsupported value: "{spec.architecture}": this host runs {ARCHITECTURE} guests only'
        causes.add(NOT_SUPPORTED, place, text)
    elif spec.architecture not in ("", ARCHITECTURE):
        place = f"{field}.architecture"
        causes.add(INVALID, place, f"{place}: unsupported architecture: {spec.architecture!r}")


def check_instance_metadata(causes: Causes, meta: ObjectMeta, field: str) -> None:
    """Labels that users may not set on a VMI, and annotations that would ask for what is not done."""
    if RESERVED_LABELS & meta.labels.keys():
        text = "creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited"
        names = ", ".join(sorted(RESERVED_LABELS & meta.labels.keys()))
        causes.add(NOT_SUPPORTED, f"{field}.labels", f"{field}.labels: {text}: {names}")
    for name, gate in GATED_ANNOTATIONS.items():
        if meta.annotations.get(name):
            text = f"{gate} feature gate is not enabled in kubevirt-config, invalid entry {field}.annotations.{name}"
            causes.add(INVALID, f"{field}.annotations", f"{field}.annotations: {text}")
