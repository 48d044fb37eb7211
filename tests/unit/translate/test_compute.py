from __future__ import annotations

import pytest

from solovirt.kit.jsontypes import Json
from solovirt.translate import argv
from tests.unit.translate.helpers import at, lost


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        ("-machine pc-q35-7.2,smm=on", "domain.machine.type", "pc-q35-7.2"),
        ("-machine pc-q35-7.2,smm=on", "domain.features.smm.enabled", True),
        ("-M q35,hpet=off", "domain.clock.timer.hpet.present", False),
        ("-no-hpet", "domain.clock.timer.hpet.present", False),
        ("-no-acpi", "domain.features.acpi.enabled", False),
        ("-machine q35,acpi=off", "domain.features.acpi.enabled", False),
        ("-cpu host", "domain.cpu.model", "host-passthrough"),
        ("-cpu Skylake-Server,+vmx,hle=off,mpx=off", "domain.cpu.features.1", {"name": "hle", "policy": "disable"}),
        ("-cpu qemu64,hv_relaxed,hv-spinlocks=0x1fff", "domain.features.hyperv.spinlocks.spinlocks", 8191),
        ("-cpu qemu64,hv_relaxed,hv-spinlocks=0x1fff", "domain.features.hyperv.relaxed", {}),
        ("-cpu qemu64,hv-stimer=on,hv-stimer-direct=on", "domain.features.hyperv.synictimer.direct", {}),
        ("-cpu qemu64,hv-vendor-id=me", "domain.features.hyperv.vendorid.vendorid", "me"),
        ("-cpu qemu64,hv-time=on", "domain.clock.timer.hyperv", {}),
        ("-cpu qemu64,hv-passthrough=on", "domain.features.hypervPassthrough.enabled", True),
        ("-cpu qemu64,hv-crash=on", "domain.devices.panicDevices.0.model", "hyperv"),
        ("-cpu qemu64,kvm=off", "domain.features.kvm.hidden", True),
        ("-cpu qemu64,kvm-pv-eoi=on", "domain.features.apic.endOfInterrupt", True),
        ("-cpu qemu64,kvm_pv_unhalt=off", "domain.features.pvspinlock.enabled", False),
        ("-cpu qemu64,kvmclock=off", "domain.clock.timer.kvm.present", False),
        ("-m 2048", "domain.memory.guest", "2Gi"),
        ("-m size=1048576k,maxmem=4G", "domain.memory.maxGuest", "4Gi"),
        ("-uuid u", "domain.firmware.uuid", "u"),
        ("-smbios type=1,serial=s", "domain.firmware.serial", "s"),
        ("-smbios type=3,asset=a", "domain.chassis.asset", "a"),
        ("-rtc base=utc,driftfix=slew", "domain.clock.timer.rtc.tickPolicy", "catchup"),
        ("-global kvm-pit.lost_tick_policy=delay", "domain.clock.timer.pit.tickPolicy", "delay"),
        ("-global driver=kvm-pit,property=lost_tick_policy,value=discard",
         "domain.clock.timer.pit.tickPolicy", "discard"),
        ("-no-reboot", "domain.rebootPolicy", "Terminate"),
        ("-action reboot=shutdown", "domain.rebootPolicy", "Terminate"),
        ("-bios /usr/share/ovmf/OVMF.fd", "domain.firmware.bootloader.efi.secureBoot", False),
        ("-kernel /boot/vmlinuz-6 -append quiet", "domain.firmware.kernelBoot.container.kernelPath", "/boot/vmlinuz-6"),
        ("-kernel /boot/vmlinuz-6 -append quiet", "domain.firmware.kernelBoot.kernelArgs", "quiet"),
    ],
)  # fmt: skip
def test_a_flag_becomes_its_field(words: str, path: str, value: Json) -> None:
    draft = argv.read(["qemu-system-x86_64", *words.split()])
    assert at(draft, path) == value
    assert lost(draft) == []


@pytest.mark.parametrize(
    ("text", "topology"),
    [
        ("4", (1, 4, 1, 1)),
        ("cpus=2,maxcpus=8,sockets=4,dies=1,cores=2,threads=1", (1, 2, 1, None)),
        ("4,sockets=2,cores=2,threads=1", (2, 2, 1, 2)),
        ("2,cores=1,sockets=3,threads=2,maxcpus=6", (1, 1, 2, 3)),
    ],
)
def test_topology(text: str, topology: tuple[int, int, int, int | None]) -> None:
    draft = argv.read(["-smp", text])
    found = tuple(at(draft, f"domain.cpu.{key}") for key in ("sockets", "cores", "threads", "maxSockets"))
    assert found == topology


def test_vcpus_that_fill_no_socket_are_told() -> None:
    draft = argv.read(["-smp", "1,threads=2,cores=1,sockets=3,maxcpus=6"])
    assert at(draft, "domain.cpu.sockets") == 1
    assert "whole number" in draft.losses[0].why


@pytest.mark.parametrize(
    "words",
    [
        "-machine pc-i440fx-7.2", "-machine q35,nvdimm=on", "-cpu qemu64,tsc-frequency=1", "-m 1G,slots=4",
        "-smp 4,dies=2,cores=2", "-smbios type=2,asset=x", "-smbios type=1,product=mine", "-rtc base=localtime",
        "-rtc base=2020-01-01", "-rtc clock=rt", "-global virtio-blk.x=1", "-boot order=d", "-accel hvf",
        "-action panic=pause", "-icount 7", "-bios mine.bin",
    ],
)  # fmt: skip
def test_what_has_no_field_is_told(words: str) -> None:
    assert len(lost(argv.read(words.split()))) == 1


def test_the_name_without_its_namespace() -> None:
    assert argv.read(["-name", "guest=default_web,debug-threads=on"]).name == "web"
    assert argv.read(["-name", "My Machine"]).name == "my-machine"
