from __future__ import annotations

from xml.etree import ElementTree

from solovirt.translate import domain, libvirt
from tests.unit.translate.helpers import at


def xml(words: str) -> ElementTree.Element:
    return ElementTree.fromstring(libvirt.write(words.split(), "web").xml)


def test_the_machine_itself() -> None:
    root = xml(
        "/usr/bin/qemu -machine pc-q35-7.2,smm=on,vmport=off,hpet=off -accel kvm -m size=1048576k,maxmem=4194304k"
        " -cpu EPYC,vmx=off,hv-relaxed=on,hv-spinlocks=0x1fff,hv-stimer=on,hv-stimer-direct=on,hv-vendor-id=me,"
        "hv-time=on,kvm=off,kvm-pv-eoi=on,kvmclock=off,kvm-pv-unhalt=off -uuid u"
        " -smp cpus=2,maxcpus=8,sockets=4,dies=1,cores=2,threads=1 -smbios type=1,serial=s -smbios type=3,asset=a"
        " -rtc base=utc,driftfix=slew -global kvm-pit.lost_tick_policy=delay -action reboot=shutdown"
        " -kernel /k -append quiet -object memory-backend-memfd,id=m,hugetlb=on,hugetlbsize=2M,size=1G"
    )
    assert root.get("type") == "kvm"
    assert {path: root.findtext(path) for path in ("name", "uuid", "memory", "maxMemory", "vcpu", "on_reboot")} == {
        "name": "web",
        "uuid": "u",
        "memory": "1048576",
        "maxMemory": "4194304",
        "vcpu": "8",
        "on_reboot": "destroy",
    }
    elements = "os/type cpu/topology features/smm features/vmport features/kvm/hidden features/hyperv/relaxed"
    elements += " features/hyperv/stimer/direct memoryBacking/hugepages/page memoryBacking/source"
    assert [path for path in elements.split() if root.find(path) is None] == []
    assert {timer.get("name") for timer in root.findall("clock/timer")} == {
        "rtc", "pit", "hpet", "kvmclock", "hypervclock"
    }  # fmt: skip
    assert [entry.text for entry in root.findall("sysinfo/*/entry")] == ["s", "a"]
    assert (root.findtext("os/kernel"), root.findtext("os/cmdline")) == ("/k", "quiet")


def test_secure_boot() -> None:
    words = '-machine q35,smm=on,pflash0=f0,pflash1=f1 -blockdev {"node-name":"f0","driver":"raw","file":"s0"}'
    words += ' -blockdev {"node-name":"s0","driver":"file","filename":"/code"}'
    words += ' -blockdev {"node-name":"f1","driver":"raw","file":"s1"}'
    words += ' -blockdev {"node-name":"s1","driver":"file","filename":"/vars"}'
    root = xml(words)
    loader = root.find("os/loader")
    assert loader is not None and (loader.text, loader.get("secure")) == ("/code", "yes")
    assert root.findtext("os/nvram") == "/vars"


def test_there_and_back() -> None:
    words = "-machine q35 -cpu host -m 2048 -smp cpus=1,maxcpus=4,sockets=4,cores=1,threads=1 -device i6300esb"
    words += " -watchdog-action poweroff -netdev user,id=n -device e1000e,netdev=n,mac=02:00:00:00:00:07,id=ua-n"
    draft = domain.read(libvirt.write(words.split(), "web").xml)
    assert (draft.name, at(draft, "domain.memory.guest"), at(draft, "domain.cpu.sockets")) == ("web", "2Gi", 1)
    assert at(draft, "domain.devices.watchdog.i6300esb.action") == "poweroff"
    assert at(draft, "domain.devices.interfaces.0.macAddress") == "02:00:00:00:00:07"
