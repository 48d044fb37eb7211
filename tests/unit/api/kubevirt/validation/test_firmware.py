import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.firmware import check_firmware, check_firmware_use
from solovirt.kit.json import convert

BOOT = {"container": {"image": "x/kernel:1", "kernelPath": "/boot/vmlinuz", "initrdPath": "/boot/initrd"}}


def found(value: dict[str, object]) -> list[tuple[str, str]]:
    causes = Causes()
    check_firmware(causes, convert(value, Firmware), "fw")
    return [(cause.field, cause.message) for cause in causes.found]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223", "serial": "e4686d2c-6e8d-4335-b8fd-81bee22f4815"},
        {"kernelBoot": {**BOOT, "kernelArgs": 'console=ttyS0 root="LABEL=a b",ro'}},
        {"bootloader": {"bios": {}}},
    ],
)
def test_good_ones(value: dict[str, object]) -> None:
    assert found(value) == []


def container(**changes: object) -> dict[str, object]:
    return {"kernelBoot": {"container": {**BOOT["container"], **changes}}}


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ({"uuid": "x"}, "fw.uuid", 'fw.uuid: Invalid value: "x": must be a UUID like'),
        ({"serial": "a b"}, "fw.serial", "fw.serial must be made up of the following characters [A-Za-z0-9_.+-]"),
        (
            {"kernelBoot": {"kernelArgs": "a"}},
            "fw.kernelBoot.kernelArgs",
            "fw.kernelBoot.kernelArgs: kernel arguments cannot be provided without an external kernel",
        ),
        (
            {"kernelBoot": {**BOOT, "kernelArgs": "a\nb"}},
            "fw.kernelBoot.kernelArgs",
            'fw.kernelBoot.kernelArgs: Invalid value: "a\\nb": must not contain control characters or line breaks',
        ),
        (container(image=""), "fw.kernelBoot.container.image", "fw.kernelBoot.container must be defined with an image"),
        (container(image="-o"), "fw.kernelBoot.container.image", "must be an image reference"),
        (
            container(kernelPath="", initrdPath=""),
            "fw.kernelBoot.container",
            "must be defined with at least one of the following: kernelPath, initrdPath",
        ),
        (
            container(kernelPath=""),
            "fw.kernelBoot.container.initrdPath",
            "an initrd cannot be loaded without",
        ),
        (
            container(kernelPath="/boot/../../etc/shadow"),
            "fw.kernelBoot.container.kernelPath",
            "must be an absolute path to a file without relative components",
        ),
        (container(initrdPath="boot/x"), "fw.kernelBoot.container.initrdPath", "must be an absolute path to a file"),
        (container(imagePullPolicy="x"), "fw.kernelBoot.container.imagePullPolicy", "Unsupported value"),
    ],
)
def test_each_problem_is_named(value: dict[str, object], field: str, message: str) -> None:
    [(place, text)] = found(value)
    assert place == field and message in text


def used(domain: dict[str, object], volumes: list[dict[str, object]] | None = None) -> list[tuple[str, str]]:
    causes = Causes()
    spec = convert({"domain": domain, "volumes": volumes or []}, VirtualMachineInstanceSpec)
    check_firmware_use(causes, spec, "spec")
    return [(cause.field, cause.message) for cause in causes.found]


def test_efi_and_bios_exclude_each_other() -> None:
    text = "fw.bootloader has both EFI and BIOS configured, but they are mutually exclusive."
    assert found({"bootloader": {"efi": {}, "bios": {}}}) == [("fw.bootloader", text)]


@pytest.mark.parametrize("efi", [{}, {"secureBoot": True}])
@pytest.mark.parametrize("features", [{}, {"smm": {"enabled": False}}])
def test_secure_boot_needs_smm(efi: dict[str, object], features: dict[str, object]) -> None:
    text = "spec.domain has EFI SecureBoot enabled. SecureBoot requires SMM, which is currently disabled."
    firmware = {"bootloader": {"efi": efi}}
    assert used({"firmware": firmware, "features": features}) == [("spec.domain", text)]
    assert used({"firmware": firmware, "features": {"smm": {}}}) == []
    assert used({"firmware": firmware, "features": features, "launchSecurity": {"tdx": {}}}) == []


def test_no_secure_boot_needs_no_smm() -> None:
    assert used({"firmware": {"bootloader": {"efi": {"secureBoot": False, "persistent": True}}}}) == []


def test_acpi_tables_come_out_of_secret_volumes() -> None:
    volumes: list[dict[str, object]] = [
        {"name": "good", "secret": {"secretName": "s"}},
        {"name": "bad", "configMap": {"name": "c"}},
    ]
    place = "spec.domain.firmware.acpi"
    assert used({"firmware": {"acpi": {"slicNameRef": "good", "msdmNameRef": "good"}}}, volumes) == []
    assert used({"firmware": {"acpi": {}}}, volumes) == [
        (place, f"{place}: ACPI was set but no SLIC nor MSDM volume reference was set")
    ]
    assert used({"firmware": {"acpi": {"slicNameRef": "bad", "msdmNameRef": "none"}}}, volumes) == [
        (f"{place}.slicNameRef", f"{place}.slicNameRef refers to Volume of unsupported type."),
        (f"{place}.msdmNameRef", f"{place}.msdmNameRef does not have a matching Volume."),
    ]


def test_firmware_on_the_serial_port_needs_one() -> None:
    domain = {
        "firmware": {"bootloader": {"bios": {"useSerial": True}}},
        "devices": {"autoattachSerialConsole": False},
    }
    causes = Causes()
    check_firmware_use(causes, convert({"domain": domain}, VirtualMachineInstanceSpec), "spec")
    assert [cause.field for cause in causes.found] == ["spec.domain.firmware.bootloader.bios.useSerial"]
