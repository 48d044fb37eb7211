"""Random defaulted specs that every QEMU takes, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.spec.compute import CPU, Memory
from solovirt.api.kubevirt.spec.devices import Devices, Input, Rng
from solovirt.api.kubevirt.spec.disks import CDRomTarget, Disk, DiskTarget
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.sources import EmptyDiskSource, HostDiskSource, Network, PodNetwork, Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance

Spec = VirtualMachineInstanceSpec
UUID = "a2d16c7b-f14c-4ed9-9d74-4daf163510e2"
_flag = st.sampled_from([None, True, False])
_text = st.text(st.sampled_from(list("abz019,='\"\\ é;$`")), max_size=12)


@st.composite
def defaulted(draw: st.DrawFn) -> Spec:
    """A spec after KubeVirt's defaulting."""
    disks = [draw(_disks(f"d{index}")) for index in range(draw(st.integers(0, 5)))]
    volumes = [_volume(disk.name, draw(st.booleans())) for disk in disks]
    nics = [draw(_interfaces(f"n{index}")) for index in range(draw(st.integers(0, 3)))]
    inputs = [
        Input(name=f"i{index}", type="tablet", bus=draw(st.sampled_from(["usb", "virtio"])))
        for index in range(draw(st.integers(0, 2)))
    ]
    devices = Devices(
        disks=disks,
        interfaces=nics,
        inputs=inputs,
        rng=draw(st.sampled_from([None, Rng()])),
        block_multi_queue=draw(_flag),
        autoattach_graphics_device=draw(_flag),
        autoattach_serial_console=draw(_flag),
        autoattach_mem_balloon=draw(_flag),
        autoattach_input_device=draw(_flag),
    )
    guest = draw(st.integers(64, 4096))
    memory = Memory(guest=f"{guest}Mi", max_guest=draw(st.sampled_from([None, f"{guest + 1}Mi", f"{guest + 512}Mi"])))
    cpu = CPU(sockets=draw(st.integers(1, 4)), cores=draw(st.integers(1, 4)), threads=draw(st.integers(1, 2)))
    spec = Spec(
        domain=Domain(cpu=cpu, memory=memory, firmware=Firmware(uuid=UUID, serial=draw(_text)), devices=devices),
        volumes=volumes,
        networks=[Network(name=nic.name, pod=PodNetwork()) for nic in nics],
    )
    default_vmi(VirtualMachineInstance(spec=spec))
    return spec


@st.composite
def _disks(draw: st.DrawFn, name: str) -> Disk:
    disk = Disk(name=name, serial=draw(_text), cache=draw(st.sampled_from(["", "none", "writeback", "writethrough"])))
    if draw(st.booleans()):
        disk.cdrom = CDRomTarget(bus=draw(st.sampled_from(["sata", "scsi"])), tray=draw(st.sampled_from(["", "open"])))
    else:
        disk.disk = DiskTarget(bus=draw(st.sampled_from(["virtio", "sata", "scsi", "usb"])))
    return disk


@st.composite
def _interfaces(draw: st.DrawFn, name: str) -> Interface:
    models = ["", "virtio", "e1000", "e1000e", "rtl8139", "ne2k_pci", "pcnet"]
    return Interface(name=name, model=draw(st.sampled_from(models)), masquerade=Binding())


def _volume(name: str, empty: bool) -> Volume:
    if empty:
        return Volume(name=name, empty_disk=EmptyDiskSource(capacity="1Gi"))
    return Volume(name=name, host_disk=HostDiskSource(path=f"/data/{name}", type="Disk"))
