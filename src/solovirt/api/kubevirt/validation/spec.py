"""The whole VirtualMachineInstanceSpec: of a VMI (``spec``) and of a VM's template (``spec.template.spec``)."""

from __future__ import annotations

from solovirt.api.causes import INVALID, NOT_SUPPORTED, Causes
from solovirt.api.kubevirt.defaults import ARCHITECTURE
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.compute import check_compute
from solovirt.api.kubevirt.validation.devices import check_devices
from solovirt.api.kubevirt.validation.firmware import check_firmware
from solovirt.api.kubevirt.validation.networks import check_networks
from solovirt.api.kubevirt.validation.volumes import check_volumes
from solovirt.api.meta import ObjectMeta
from solovirt.kit.names import label_problem

MAX_GRACE_PERIOD = 2**31 - 1
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
UNSUPPORTED_ANNOTATIONS = frozenset(
    {
        "hooks.kubevirt.io/hookSidecars",
        "kubevirt.io/ignitiondata",
        "kubevirt.io/placePCIDevicesOnRootComplex",
        "kubevirt.io/disablePCIHole64",
        "kubevirt.io/free-page-reporting-disabled",
    }
)


def check_spec(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """Every problem of a VMI spec; ``field`` is its path."""
    _check_platform(causes, spec, field)
    check_compute(causes, spec.domain, f"{field}.domain")
    if spec.domain.firmware is not None:
        check_firmware(causes, spec.domain.firmware, f"{field}.domain.firmware")
    check_devices(causes, spec, field)
    check_volumes(causes, spec.volumes, f"{field}.volumes")
    check_networks(causes, spec, field)


def _check_platform(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    if spec.hostname and (problem := label_problem(spec.hostname)):
        place = f"{field}.hostname"
        causes.add(INVALID, place, f"{place} does not conform to the kubernetes DNS_LABEL rules : {problem}")
    if spec.architecture in KNOWN_ARCHITECTURES:
        causes.known_unsupported(f"{field}.architecture", spec.architecture)
    elif spec.architecture not in ("", ARCHITECTURE):
        place = f"{field}.architecture"
        causes.add(INVALID, place, f"{place}: unsupported architecture: {spec.architecture!r}")
    grace = spec.termination_grace_period_seconds
    if grace is not None and not 0 <= grace <= MAX_GRACE_PERIOD:
        causes.invalid(f"{field}.terminationGracePeriodSeconds", grace, f"must be between 0 and {MAX_GRACE_PERIOD}")
    if spec.start_strategy not in ("", "Paused"):
        place = f"{field}.startStrategy"
        text = f"{place} is set with an unrecognized option: {spec.start_strategy}"
        causes.add(INVALID, place, text)


def check_instance_metadata(causes: Causes, meta: ObjectMeta, field: str) -> None:
    """Labels that users may not set on a VMI, and annotations that would ask for what is not done."""
    if RESERVED_LABELS & meta.labels.keys():
        text = "creation of the following reserved kubevirt.io/ labels on a VMI object is prohibited"
        names = ", ".join(sorted(RESERVED_LABELS & meta.labels.keys()))
        causes.add(NOT_SUPPORTED, f"{field}.labels", f"{field}.labels: {text}: {names}")
    for name in sorted(UNSUPPORTED_ANNOTATIONS & meta.annotations.keys()):
        causes.known_unsupported(f"{field}.annotations[{name}]")
