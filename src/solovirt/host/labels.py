"""The labels of the one node that this host is: Kubernetes' own, KubeVirt's node labeller's, and the user's.

Source: kubevirt pkg/virt-handler/node-labeller. Values that no label can hold are left out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from solovirt.host.model.facts import QemuFacts
from solovirt.kit.errors import HostError
from solovirt.kit.names import key_problem, label_value_problem

VARIABLE = "SOLOVIRT_NODE_LABELS"
"""Environment: "zone=cellar,disk=ssd". They win over all others."""

_ARCHITECTURES = {"x86_64": "amd64"}


def node_labels(qemu: QemuFacts, accel: str, node: str, *, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Raises ``HostError`` reason InvalidEnvironment when the user's labels are none."""
    arch = _ARCHITECTURES.get(qemu.arch, qemu.arch)
    labels = {
        "kubernetes.io/hostname": node,
        "kubernetes.io/arch": arch,
        "kubernetes.io/os": "linux",
        "kubevirt.io/schedulable": "true",
        "cpumanager": "true",
    }
    for model in qemu.cpu_models:
        if accel != "kvm" or not model.missing:
            labels[f"cpu-model.node.kubevirt.io/{model.name}"] = "true"
    for feature, usable in qemu.cpu_features.items():
        if usable:
            labels[f"cpu-feature.node.kubevirt.io/{feature}"] = "true"
    for machine in qemu.machines:
        labels[f"machine-type.node.kubevirt.io/{machine.name}"] = "true"
        if machine.alias:
            labels[f"machine-type.node.kubevirt.io/{machine.alias}"] = "true"
    labels = {key: value for key, value in labels.items() if not key_problem(key)}
    return {**labels, **parse(environ.get(VARIABLE, ""))}


def parse(text: str) -> dict[str, str]:
    """ "key=value,key=value"; a key alone has an empty value. Raises ``HostError`` reason InvalidEnvironment."""
    labels: dict[str, str] = {}
    for part in (piece.strip() for piece in text.split(",")):
        if not part:
            continue
        key, _, value = part.partition("=")
        if problem := key_problem(key) or label_value_problem(value):
            text = f'{VARIABLE} has "{part[:128]}": {problem}'
            raise HostError(text, reason="InvalidEnvironment", hint=f"{VARIABLE}=zone=cellar,disk=ssd")
        labels[key] = value
    return labels
