import os
from pathlib import Path

import msgspec
import pytest

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host import facts, firmware
from solovirt.host.kept import Places
from solovirt.host.model.facts import Firmware, HostFacts
from solovirt.kit.errors import HostError
from solovirt.kit.json import convert

SECURE = {"firmware": {"bootloader": {"efi": {}}}, "features": {"smm": {}}}


def plain(persistent: bool = False, **domain: object) -> VirtualMachineInstanceSpec:
    return spec(firmware={"bootloader": {"efi": {"secureBoot": False, "persistent": persistent}}}, **domain)


def spec(**domain: object) -> VirtualMachineInstanceSpec:
    return convert({"domain": domain}, VirtualMachineInstanceSpec)


@pytest.fixture
def host(tmp_path: Path) -> HostFacts:
    """Two kinds of firmware with templates of different sizes."""
    for name, size in (("small", 100), ("large", 200)):
        (tmp_path / name).write_bytes(name[:1].encode() * size)
    kinds = tuple(
        Firmware(code=f"/x/{name}.fd", variables=str(tmp_path / name), machines=("pc-q35-*",))
        for name in ("large", "small")
    )
    return msgspec.structs.replace(facts.load("qemu-7.2"), firmware=kinds)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "instances/i", tmp_path / "vms/v")


def recorded() -> HostFacts:
    return facts.load("qemu-7.2")


def chosen(given: VirtualMachineInstanceSpec, machine: str = "") -> str:
    return os.path.basename(firmware.candidates(given, recorded(), machine)[0].code)


def test_kubevirts_choices() -> None:
    assert chosen(spec(**SECURE)) == "OVMF_CODE_4M.ms.fd"
    assert chosen(plain()) == "OVMF_CODE_4M.fd"
    assert chosen(plain(features={"smm": {}})) == "OVMF_CODE_4M.secboot.fd"
    assert chosen(plain(launchSecurity={"sev": {}})) == "OVMF_CODE_4M.fd"


def test_confidential_guests_get_a_rom_that_knows_them() -> None:
    roms = (
        Firmware(code="/x/tdx.fd", rom=True, machines=("pc-q35-*",), features=frozenset({"intel-tdx"})),
        Firmware(code="/x/tdxs.fd", rom=True, machines=("pc-q35-*",), features=frozenset({"intel-tdx", "secure-boot"})),
        Firmware(code="/x/snp.fd", rom=True, machines=("pc-q35-*",), features=frozenset({"amd-sev-snp"})),
    )
    here = msgspec.structs.replace(recorded(), firmware=(*recorded().firmware, *roms))

    def code(given: VirtualMachineInstanceSpec) -> str:
        return firmware.candidates(given, here)[0].code

    assert code(plain(launchSecurity={"snp": {}})) == "/x/snp.fd"
    assert code(plain(launchSecurity={"tdx": {}})) == "/x/tdx.fd"
    assert code(spec(firmware={"bootloader": {"efi": {}}}, launchSecurity={"tdx": {}})) == "/x/tdxs.fd"
    with pytest.raises(HostError, match="for AMD SEV-SNP"):
        firmware.candidates(plain(launchSecurity={"snp": {}}), recorded())


def test_the_machine_type_must_fit() -> None:
    with pytest.raises(HostError, match=r"without enrolled keys and SMM for pc-i440fx-7\.2") as error:
        firmware.candidates(
            plain(machine={"type": "pc-i440fx-7.2"}),
            msgspec.structs.replace(recorded(), firmware=recorded().firmware[:2]),
        )
    assert error.value.reason == "FirmwareMissing" and "ovmf" in error.value.hint


def test_nothing_for_seabios(places: Places) -> None:
    assert firmware.plan(spec(), recorded(), places) is None
    assert firmware.prepare(spec(), recorded(), places) is None
    assert not places.instance.exists()


@pytest.mark.parametrize("persistent", [True, False])
def test_plan_and_prepare_agree(host: HostFacts, places: Places, persistent: bool) -> None:
    planned = firmware.plan(plain(persistent), host, places)
    assert not places.instance.exists() and not places.kept.exists()
    assert firmware.prepare(plain(persistent), host, places) == planned
    assert planned is not None and planned.variables is not None
    assert Path(planned.variables.path).parent == (places.kept if persistent else places.instance)
    assert Path(planned.variables.path).read_bytes() == b"l" * 200
    assert Path(planned.variables.path).stat().st_mode & 0o777 == 0o600


def test_kept_variables_stay_and_decide_the_code(host: HostFacts, places: Places) -> None:
    places.kept.mkdir(parents=True)
    (places.kept / firmware.NVRAM).write_bytes(b"k" * 100)
    found = firmware.prepare(plain(persistent=True), host, places)
    assert found is not None and found.code.path == "/x/small.fd"
    assert (places.kept / firmware.NVRAM).read_bytes() == b"k" * 100


def test_kept_variables_that_fit_nothing(host: HostFacts, places: Places) -> None:
    places.kept.mkdir(parents=True)
    (places.kept / firmware.NVRAM).write_bytes(b"k" * 7)
    with pytest.raises(HostError, match="7 bytes, which no UEFI firmware here fits"):
        firmware.prepare(plain(persistent=True), host, places)


def test_a_link_in_the_place_of_the_variables(host: HostFacts, places: Places, tmp_path: Path) -> None:
    places.kept.mkdir(parents=True)
    (places.kept / firmware.NVRAM).symlink_to(tmp_path / "small")
    with pytest.raises(HostError, match="not a regular file"):
        firmware.prepare(plain(persistent=True), host, places)


def test_a_template_that_is_gone(host: HostFacts, places: Places, tmp_path: Path) -> None:
    (tmp_path / "large").unlink()
    with pytest.raises(HostError, match="cannot be read"):
        firmware.prepare(plain(), host, places)
    assert not (places.instance / firmware.NVRAM).exists()
