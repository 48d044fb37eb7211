from __future__ import annotations

import pytest

from solovirt.host import labels
from solovirt.host.model.facts import CPUModel, MachineType, QemuFacts
from solovirt.kit.errors import HostError

QEMU = QemuFacts(
    binary="/q",
    version=(7, 2, 0),
    machines=(MachineType("pc-q35-7.2", "q35"),),
    cpu_models=(CPUModel("Skylake-Client"), CPUModel("EPYC", missing=("svm",)), CPUModel("bad name")),
    cpu_features={"avx": True, "svm": False},
)


def test_the_nodes_own_labels() -> None:
    found = labels.node_labels(QEMU, "kvm", "box", environ={})
    assert found == {
        "kubernetes.io/hostname": "box",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "kubevirt.io/schedulable": "true",
        "cpumanager": "true",
        "cpu-model.node.kubevirt.io/Skylake-Client": "true",
        "cpu-feature.node.kubevirt.io/avx": "true",
        "machine-type.node.kubevirt.io/pc-q35-7.2": "true",
        "machine-type.node.kubevirt.io/q35": "true",
    }
    assert "cpu-model.node.kubevirt.io/EPYC" in labels.node_labels(QEMU, "tcg", "box", environ={})


def test_the_users_win() -> None:
    given = {labels.VARIABLE: "zone=cellar, kubernetes.io/os=plan9,fast"}
    found = labels.node_labels(QEMU, "kvm", "box", environ=given)
    assert (found["zone"], found["kubernetes.io/os"], found["fast"]) == ("cellar", "plan9", "")


@pytest.mark.parametrize("text", ["a b=c", "=x", "a=b c"])
def test_no_labels(text: str) -> None:
    with pytest.raises(HostError, match="SOLOVIRT_NODE_LABELS has"):
        labels.parse(text)
