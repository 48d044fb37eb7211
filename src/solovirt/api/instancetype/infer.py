"""Instancetypes and preferences that a volume's labels name. Source: kubevirt pkg/instancetype/infer."""

from __future__ import annotations

from solovirt.api.admission import Lookup
from solovirt.api.cdi.datavolume import RESOURCE as DATA_VOLUMES
from solovirt.api.cdi.datavolume import DataVolumeSpec
from solovirt.api.core.persistentvolumeclaim import RESOURCE as CLAIMS
from solovirt.api.instancetype.matchers import IGNORE, Matcher
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.kit.errors import BadRequest

_LABEL = "instancetype.kubevirt.io/default-"
_NO_SOURCE = "unable to infer defaults from DataVolumeSpec as DataVolumeSource is not supported"


class NoDefault(BadRequest):
    """The volume is there and says nothing: what ``inferFromVolumeFailurePolicy: Ignore`` is for."""


def infer(vm: VirtualMachine, objects: Lookup) -> None:
    """Puts names in place of ``inferFromVolume``. Raises BadRequest.

    With the policy Ignore a volume without labels takes the matcher out; one with labels takes the template's memory
    out, which would conflict.
    """
    spec = vm.spec
    if spec.instancetype is not None and spec.instancetype.infer_from_volume and not spec.instancetype.name:
        ignore = spec.instancetype.infer_from_volume_failure_policy == IGNORE
        spec.instancetype = _inferred(vm, spec.instancetype, "instancetype", objects)
        if ignore and spec.instancetype is not None:
            spec.template.spec.domain.memory = None
    if spec.preference is not None and spec.preference.infer_from_volume and not spec.preference.name:
        spec.preference = _inferred(vm, spec.preference, "preference", objects)


def _inferred(vm: VirtualMachine, matcher: Matcher, what: str, objects: Lookup) -> Matcher | None:
    try:
        labels = _labels(vm, matcher.infer_from_volume, f"{_LABEL}{what}", objects)
    except NoDefault:
        if matcher.infer_from_volume_failure_policy == IGNORE:
            return None
        raise
    return Matcher(name=labels[f"{_LABEL}{what}"], kind=labels.get(f"{_LABEL}{what}-kind", ""))


def _labels(vm: VirtualMachine, name: str, label: str, objects: Lookup) -> dict[str, str]:
    """The labels of what the volume ``name`` refers to; ``label`` is among them."""
    volume = next((found for found in vm.spec.template.spec.volumes if found.name == name), None)
    if volume is None:
        raise BadRequest(f"unable to find volume {name} to infer defaults")
    namespace = vm.metadata.namespace
    if volume.persistent_volume_claim is not None:
        return _with(label, _claim_labels(objects, namespace, volume.persistent_volume_claim.claim_name))
    if volume.data_volume is None:
        raise NoDefault(f"unable to infer defaults from volume {name} as type is not supported")
    data_volume = volume.data_volume.name
    for template in vm.spec.data_volume_templates:
        if template.metadata.name == data_volume:
            return _source_labels(template.spec, namespace, label, objects)
    found = objects.find(DATA_VOLUMES, namespace, data_volume)
    if found is None:
        return _with(label, _claim_labels(objects, namespace, data_volume))
    if label not in found.metadata.labels:
        return _source_labels(found.spec, namespace, label, objects)
    return found.metadata.labels


def _source_labels(spec: DataVolumeSpec, namespace: str, label: str, objects: Lookup) -> dict[str, str]:
    """Of the claim that a DataVolume copies."""
    if spec.source is not None and spec.source.pvc is not None:
        source = spec.source.pvc
        return _with(label, _claim_labels(objects, source.namespace or namespace, source.name))
    if spec.source_ref is None:
        raise NoDefault(_NO_SOURCE)
    if spec.source_ref.kind != "DataSource":
        text = "unable to infer defaults from DataVolumeSourceRef as Kind"
        raise NoDefault(f"{text} {spec.source_ref.kind} is not supported")
    raise BadRequest(f'datasources.cdi.kubevirt.io "{spec.source_ref.name}" not found')


def _claim_labels(objects: Lookup, namespace: str, name: str) -> dict[str, str]:
    claim = objects.find(CLAIMS, namespace, name)
    if claim is None:
        raise BadRequest(f'{CLAIMS.key} "{name}" not found')
    return claim.metadata.labels


def _with(label: str, labels: dict[str, str]) -> dict[str, str]:
    if label not in labels:
        raise NoDefault(f"unable to find required {label} label on the volume")
    return labels
