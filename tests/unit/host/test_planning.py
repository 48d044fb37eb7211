"""What a start would bind, made up without touching anything."""

from __future__ import annotations

from pathlib import Path

from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.spec.compute import Memory
from solovirt.api.kubevirt.spec.firmware import EFI, Bootloader, Firmware
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import EmptyDiskSource, Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.host import facts, network
from solovirt.host.model.bindings import Bindings, Pins
from solovirt.host.planning import planned
from solovirt.kit.paths import Paths


def plan(tmp_path: Path, key: str) -> Bindings:
    domain = Domain(
        memory=Memory(guest="1Gi"),
        firmware=Firmware(bootloader=Bootloader(efi=EFI(secure_boot=False, persistent=True))),
    )
    spec = VirtualMachineInstanceSpec(
        domain=domain, volumes=[Volume(name="data", empty_disk=EmptyDiskSource(capacity="1Gi"))]
    )
    vmi = VirtualMachineInstance(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)
    default_vmi(vmi)
    return planned(
        vmi,
        facts.load("qemu-7.2"),
        Paths(state=tmp_path / "state", runtime=tmp_path / "run"),
        key=key,
        pins=Pins(uuid="u"),
        networks=network.bind(vmi),
        host_devices={},
        vsock_cid=7,
    )


def test_everything_has_its_place_and_nothing_is_made(tmp_path: Path) -> None:
    found = plan(tmp_path, "vm-uid")
    assert found.volumes["data"].image.path == f"{tmp_path}/state/instances/web/data.qcow2"
    assert found.sockets.qmp == f"{tmp_path}/run/vmi/web/qmp.sock"
    assert found.firmware is not None and found.firmware.variables is not None
    assert found.firmware.variables.path.startswith(f"{tmp_path}/state/vms/vm-uid/")
    assert (list(found.networks), found.vsock_cid, found.pins.uuid) == (["default"], 7, "u")
    assert list(tmp_path.iterdir()) == []


def test_without_a_vm_what_is_kept_belongs_to_the_vmi(tmp_path: Path) -> None:
    firmware = plan(tmp_path, "").firmware
    assert firmware is not None and firmware.variables is not None
    assert firmware.variables.path.startswith(f"{tmp_path}/state/vms/web/")
