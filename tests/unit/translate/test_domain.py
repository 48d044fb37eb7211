from __future__ import annotations

import time

import pytest

from solovirt.kit.errors import BadRequest
from solovirt.kit.jsontypes import Json
from solovirt.translate import domain
from tests.unit.translate.helpers import at, lost

FRAME = "<domain type='kvm'><name>Web_1</name><features><acpi/></features>%s<devices>%s</devices></domain>"


def of(inside: str, devices: str = "") -> str:
    return FRAME % (inside, devices)


@pytest.mark.parametrize(
    ("inside", "path", "value"),
    [
        ("<uuid>u</uuid>", "domain.firmware.uuid", "u"),
        ("<memory unit='GiB'>2</memory>", "domain.memory.guest", "2Gi"),
        ("<memory>1048576</memory>", "domain.memory.guest", "1Gi"),
        ("<maxMemory unit='MiB' slots='4'>4096</maxMemory>", "domain.memory.maxGuest", "4Gi"),
        ("<vcpu current='2'>8</vcpu>", "domain.cpu.maxSockets", 8),
        ("<vcpu>8</vcpu><cpu><topology sockets='2' cores='2' threads='2'/></cpu>", "domain.cpu.threads", 2),
        ("<cpu mode='host-passthrough'/>", "domain.cpu.model", "host-passthrough"),
        ("<cpu mode='custom'><model>EPYC</model></cpu>", "domain.cpu.model", "EPYC"),
        (
            "<cpu><feature policy='disable' name='vmx'/></cpu>",
            "domain.cpu.features",
            [{"name": "vmx", "policy": "disable"}],
        ),
        ("<os><type machine='pc-q35-9.0'>hvm</type></os>", "domain.machine.type", "pc-q35-9.0"),
        ("<os firmware='efi'><type>hvm</type></os>", "domain.firmware.bootloader.efi.secureBoot", False),
        (
            "<os><type>hvm</type><loader type='pflash' secure='yes'>/x</loader></os>",
            "domain.features.smm.enabled",
            True,
        ),
        ("<os><bios useserial='yes'/></os>", "domain.firmware.bootloader.bios.useSerial", True),
        (
            "<os><kernel>/k/vmlinuz</kernel></os>",
            "domain.firmware.kernelBoot.container.kernelPath",
            "/boot/vmlinuz",
        ),
        ("<os><cmdline>quiet</cmdline></os>", "domain.firmware.kernelBoot.kernelArgs", "quiet"),
        ("<clock offset='timezone' timezone='Asia/Tokyo'/>", "domain.clock.timezone", "Asia/Tokyo"),
        ("<clock offset='variable' adjustment='-60'/>", "domain.clock.utc.offsetSeconds", -60),
        (
            "<clock><timer name='rtc' tickpolicy='catchup' track='wall'/></clock>",
            "domain.clock.timer.rtc",
            {"tickPolicy": "catchup", "track": "wall"},
        ),
        ("<clock><timer name='hpet' present='no'/></clock>", "domain.clock.timer.hpet.present", False),
        ("<on_reboot>destroy</on_reboot>", "domain.rebootPolicy", "Terminate"),
        (
            "<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>",
            "domain.memory.hugepages.pageSize",
            "1Gi",
        ),
    ],
)
def test_an_element_becomes_its_field(inside: str, path: str, value: Json) -> None:
    draft = domain.read(of(inside))
    assert at(draft, path) == value
    assert lost(draft) == []


def test_hyperv() -> None:
    text = """<domain><features><acpi/><apic eoi='on'/><smm state='on'/><kvm><hidden state='on'/></kvm>
    <pvspinlock state='off'/><vmport state='off'/><hyperv mode='custom'><relaxed state='on'/>
    <spinlocks state='on' retries='8191'/><stimer state='on'><direct state='on'/></stimer><ipi state='off'/>
    <vendor_id state='on' value='me'/></hyperv></features></domain>"""
    draft = domain.read(text)
    assert at(draft, "domain.features") == {
        "apic": {"endOfInterrupt": True},
        "smm": {"enabled": True},
        "kvm": {"hidden": True},
        "pvspinlock": {"enabled": False},
        "hyperv": {
            "relaxed": {},
            "spinlocks": {"spinlocks": 8191},
            "synictimer": {"direct": {"enabled": True}},
            "ipi": {"enabled": False},
            "vendorid": {"vendorid": "me"},
        },
    }
    passthrough = domain.read("<domain><features><hyperv mode='passthrough'/></features></domain>")
    assert at(passthrough, "domain.features.hypervPassthrough.enabled") is True
    assert at(passthrough, "domain.features.acpi.enabled") is False


@pytest.mark.parametrize(
    "inside",
    [
        "<os><type machine='pc-i440fx-9.0'>hvm</type></os>",
        "<os><type>exe</type></os>",
        "<clock offset='localtime'/>",
        "<clock><timer name='tsc'/></clock>",
        "<launchSecurity type='sev'/>",
        "<memory>2</memory><currentMemory>1</currentMemory>",
        "<cpu><numa/></cpu>",
        "<cputune><shares>1</shares></cputune>",
        "<memoryBacking><locked/></memoryBacking>",
    ],
)
def test_what_has_no_field_is_told(inside: str) -> None:
    assert len(lost(domain.read(of(inside)))) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<domain", "line 1, column 0"),
        ("<network/>", "expected a libvirt <domain>"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><domain/>", "DTD or entities"),
        ("<domain>" + " " * (1 << 20) + "</domain>", "longer than"),
    ],
)
def test_what_is_no_domain(text: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        domain.read(text)


def test_names() -> None:
    assert domain.read(of("")).name == "web-1"
    assert domain.read(of(""), "other").name == "other"
    assert domain.read("<domain type='xen'/>").losses[0].what == '<domain type="xen">'


@pytest.mark.parametrize("text", ["\u00b2", "9" * 5000, "-1", "0", "inf", "1.5", "0x" + "f" * 5000])
def test_numbers_that_are_none_are_not_taken(text: str) -> None:
    inside = (
        f"<vcpu current='{text}'>{text}</vcpu><memory unit='GiB'>1</memory>"
        f"<cpu><topology sockets='{text}' cores='{text}' threads='{text}'/></cpu>"
        f"<clock offset='variable' adjustment='{text}'/>"
        f"<memoryBacking><hugepages><page size='{text}'/></hugepages></memoryBacking>"
    )
    hyperv = f"<features><hyperv><spinlocks state='on' retries='{text}'/></hyperv></features>"
    disk = f"<disk type='file'><source file='/a'/><boot order='{text}'/><blockio logical_block_size='{text}'/></disk>"
    draft = domain.read(FRAME % (inside + hyperv, disk))
    assert at(draft, "domain.cpu.sockets") == 1
    assert at(draft, "domain.cpu.cores") == 1
    assert at(draft, "domain.memory.guest") == "1Gi"


def test_text_that_is_no_unicode() -> None:
    with pytest.raises(BadRequest, match="not Unicode"):
        domain.read(of("<uuid>\ud800</uuid>"))


def test_many_losses_take_no_time() -> None:
    began = time.monotonic()
    draft = domain.read(of("".join(f"<x{number}/>" for number in range(50_000))))
    assert len(draft.losses) == 50_000
    assert time.monotonic() - began < 30


def test_smbios_strings() -> None:
    system = '<entry name="serial">S-1</entry><entry name="uuid">u</entry><entry name="family">KubeVirt</entry>'
    system += '<entry name="product">Mine</entry>'
    chassis = '<entry name="asset">A-1</entry>'
    text = f"<sysinfo type='smbios'><system>{system}</system><chassis>{chassis}</chassis></sysinfo>"
    draft = domain.read(f"<domain type='kvm'>{text}</domain>")
    assert at(draft, "domain.firmware.serial") == "S-1"
    assert at(draft, "domain.chassis") == {"asset": "A-1"}
    assert [what for what in lost(draft) if "sysinfo" in what] == ['<sysinfo><system><entry name="product">Mine']
