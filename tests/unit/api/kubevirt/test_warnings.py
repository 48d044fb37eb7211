"""What KubeVirt would refuse is told."""

from __future__ import annotations

import base64

import pytest

from solovirt.api.decode import decode
from solovirt.api.kubevirt.warnings import INLINE_MAX
from solovirt.api.registry import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES

from ..samples import VM, VMI, changed

LARGE = "x" * (INLINE_MAX + 1)
SEED = "volumes[1].cloudInitNoCloud"


def told(source: dict[str, object]) -> list[str]:
    machine = decode(VIRTUAL_MACHINE_INSTANCES, changed(VMI, {f"spec.{SEED}": source})).object
    return VIRTUAL_MACHINE_INSTANCES.warn(machine)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"userData": LARGE}, "userdata"),
        ({"userData": "ä" * 1025}, "userdata"),
        ({"userDataBase64": base64.b64encode(LARGE.encode()).decode()}, "userdata"),
        ({"userData": "x", "networkData": LARGE}, "networkdata"),
    ],
)
def test_large_seeds(source: dict[str, object], kind: str) -> None:
    [text] = told(source)
    assert text.startswith(f"spec.{SEED} {kind} exceeds 2048 bytes")
    assert LARGE not in text


def test_what_kubevirt_takes_is_not_mentioned() -> None:
    assert told({"userData": "x" * INLINE_MAX, "networkData": "x" * INLINE_MAX}) == []


def test_the_path_in_a_virtual_machine() -> None:
    machine = decode(VIRTUAL_MACHINES, changed(VM, {f"spec.template.spec.{SEED}": {"userData": LARGE}})).object
    assert VIRTUAL_MACHINES.warn(machine)[0].startswith(f"spec.template.spec.{SEED} userdata")


def test_unplugging_from_the_pod_network() -> None:
    machine = decode(VIRTUAL_MACHINES, changed(VM, {"spec.template.spec.domain.devices.interfaces[0].state": "absent"}))
    assert VIRTUAL_MACHINES.warn(machine.object) == [
        'spec.template.spec.domain.devices.interfaces[0].state: "default" interface\'s state "absent" is not supported'
        " on default networks by KubeVirt"
    ]


@pytest.mark.parametrize("running", [True, False])
def test_running_is_deprecated(running: bool) -> None:
    vm = decode(VIRTUAL_MACHINES, changed(VM, {"spec.runStrategy": None, "spec.running": running})).object
    assert VIRTUAL_MACHINES.warn(vm) == ["spec.running is deprecated, please use spec.runStrategy instead."]
    vm.spec.running = None
    assert VIRTUAL_MACHINES.warn(vm) == []


def test_a_device_of_the_host_as_a_lun() -> None:
    changes: dict[str, object] = {
        "spec.domain.devices.disks[0]": {"name": "root", "lun": {}},
        "spec.volumes[0]": {"name": "root", "hostDisk": {"path": "/dev/sdz", "type": "Disk"}},
    }
    lun = decode(VIRTUAL_MACHINE_INSTANCES, changed(VMI, changes)).object
    [text] = VIRTUAL_MACHINE_INSTANCES.warn(lun)
    refusal = "can only be mapped to a DataVolume or PersistentVolumeClaim volume."
    assert text.startswith(f"spec.domain.devices.disks[0].lun {refusal} So says KubeVirt")
    lun.spec.volumes[0].host_disk = None
    assert VIRTUAL_MACHINE_INSTANCES.warn(lun) == []
