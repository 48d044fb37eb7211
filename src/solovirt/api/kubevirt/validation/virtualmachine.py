"""Rules for a VirtualMachine. Source: kubevirt pkg/virt-api/webhooks/validating-webhook/admitters/vms-admitter.go."""

from __future__ import annotations

from solovirt.api.causes import INVALID, NOT_SUPPORTED, REQUIRED, Causes
from solovirt.api.cdi.datavolume import check_data_volume_spec
from solovirt.api.instancetype.matchers import check_matcher
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.validation.spec import check_instance_metadata, check_spec
from solovirt.api.kubevirt.virtualmachine import DataVolumeTemplate, VirtualMachine, VirtualMachineSpec
from solovirt.api.metadata import check_labels, check_metadata
from solovirt.kit.errors import Cause
from solovirt.kit.names import LABEL_MAX, subdomain_problem

RUN_STRATEGIES = ("Halted", "Manual", "Always", "RerunOnFailure", "Once")
MEMORY = "spec.template.spec.domain.memory.guest"


def validate_vm(new: VirtualMachine, old: VirtualMachine | None) -> list[Cause]:
    """Every problem of a VirtualMachine. One that is being deleted is let through: only its finalizers matter."""
    causes = Causes()
    if new.metadata.deletion_timestamp is not None:
        return causes.found
    check_metadata(causes, new.metadata, max_name=LABEL_MAX)
    _check_run_strategy(causes, new.spec)
    _check_update_strategy(causes, new, old)
    _check_matchers(causes, new.spec, old.spec if old is not None else None)
    template = new.spec.template
    check_labels(causes, template.metadata, field="spec.template.metadata")
    check_instance_metadata(causes, template.metadata, "spec.template.metadata")
    check_spec(causes, template.spec, "spec.template.spec")
    if new.spec.instancetype is not None:
        # The instancetype gives it; admission says so when there is none of that name.
        causes.found = [c for c in causes.found if (c.reason, c.field) != (REQUIRED, MEMORY)]
    _check_data_volumes(causes, new)
    return causes.found


def _check_matchers(causes: Causes, spec: VirtualMachineSpec, old: VirtualMachineSpec | None) -> None:
    former = (old.instancetype, old.preference) if old is not None else (None, None)
    check_matcher(causes, spec.instancetype, former[0], "spec.instancetype", "Instancetype")
    check_matcher(causes, spec.preference, former[1], "spec.preference", "Preference")


def _check_run_strategy(causes: Causes, spec: VirtualMachineSpec) -> None:
    if spec.running is not None and spec.run_strategy:
        text = (
            "spec.running: Running and RunStrategy are mutually exclusive."
            " Note that Running is deprecated, please use RunStrategy instead"
        )
        causes.add(INVALID, "spec.running", text)
    if spec.running is None and not spec.run_strategy:
        causes.add(INVALID, "spec.runStrategy", "spec.runStrategy: RunStrategy must be specified")
    if spec.run_strategy == "WaitAsReceiver":
        causes.known_unsupported("spec.runStrategy", spec.run_strategy)
    elif spec.run_strategy and spec.run_strategy not in RUN_STRATEGIES:
        names = ", ".join(RUN_STRATEGIES)
        text = f"spec.runStrategy: Invalid RunStrategy ({spec.run_strategy!r}), must be one of: {names}"
        causes.add(INVALID, "spec.runStrategy", text)


def _check_update_strategy(causes: Causes, new: VirtualMachine, old: VirtualMachine | None) -> None:
    """Migration is refused at the moment when it would copy the disks of a machine that runs."""
    place, strategy = "spec.updateVolumesStrategy", new.spec.update_volumes_strategy
    if strategy not in ("", "Replacement", "Migration"):
        causes.not_supported(place, strategy, ("Replacement", "Migration"))
    if strategy != "Migration" or old is None or not old.status.created:
        return
    if _claims(new) != _claims(old):
        text = "disks of a running VM cannot be copied to other claims; stop it first, or say Replacement"
        causes.add(NOT_SUPPORTED, place, f"{place} Migration: {text}")


def _claims(vm: VirtualMachine) -> dict[str, str]:
    """The claim behind each volume that has one."""
    found = {}
    for volume in vm.spec.template.spec.volumes:
        if volume.persistent_volume_claim is not None:
            found[volume.name] = volume.persistent_volume_claim.claim_name
        elif volume.data_volume is not None:
            found[volume.name] = volume.data_volume.name
    return found


def _check_data_volumes(causes: Causes, vm: VirtualMachine) -> None:
    volumes = vm.spec.template.spec.volumes
    seen: set[str] = set()
    for index, template in enumerate(vm.spec.data_volume_templates):
        place = f"spec.dataVolumeTemplates[{index}]"
        name = template.metadata.name
        if name and name in seen:
            causes.duplicate(f"{place}.metadata.name", name)
        seen.add(name)
        _check_template(causes, template, vm.metadata.namespace, place)
        if name and not any(_uses(volume, name) for volume in volumes):
            text = f"DataVolumeTemplate entry {place} must be referenced in the VMI template's 'volumes' list"
            causes.add(REQUIRED, place, text)


def _check_template(causes: Causes, template: DataVolumeTemplate, namespace: str, field: str) -> None:
    meta = template.metadata
    if not meta.name:
        text = f"'name' field must not be empty for DataVolumeTemplate entry {field}."
        causes.add(REQUIRED, f"{field}.metadata.name", text)
    elif problem := subdomain_problem(meta.name):
        causes.invalid(f"{field}.metadata.name", meta.name, problem)
    if meta.namespace and namespace and meta.namespace != namespace:
        text = f"Embedded DataVolume namespace {meta.namespace} differs from VM namespace {namespace}"
        causes.add(INVALID, f"{field}.metadata.namespace", text)
    check_labels(causes, meta, field=f"{field}.metadata")
    check_data_volume_spec(causes, template.spec, f"{field}.spec")


def _uses(volume: Volume, name: str) -> bool:
    claim = volume.persistent_volume_claim
    return (volume.data_volume is not None and volume.data_volume.name == name) or (
        claim is not None and claim.claim_name == name
    )
