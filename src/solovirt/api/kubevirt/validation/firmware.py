"""Rules for firmware: identity, bootloader, kernel boot, ACPI tables. Source: kubevirt vmi-create-admitter.go."""

from __future__ import annotations

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.kubevirt.spec.firmware import ACPITables, Firmware, KernelBoot, KernelBootContainer
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.validation.text import (
    MAX_KERNEL_ARGS,
    check_file_path,
    check_image,
    check_printable,
    check_pull,
    check_serial,
    check_uuid,
)


def check_firmware(causes: Causes, firmware: Firmware, field: str) -> None:
    check_uuid(causes, firmware.uuid, f"{field}.uuid")
    check_serial(causes, firmware.serial, f"{field}.serial")
    boot = firmware.bootloader
    if boot is not None and boot.efi is not None and boot.bios is not None:
        place = f"{field}.bootloader"
        causes.add(INVALID, place, f"{place} has both EFI and BIOS configured, but they are mutually exclusive.")
    if firmware.kernel_boot is not None:
        _check_kernel_boot(causes, firmware.kernel_boot, f"{field}.kernelBoot")


def check_firmware_use(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """What firmware needs of the rest; ``field`` is the path of the VMI spec."""
    domain, place = spec.domain, f"{field}.domain"
    if secure_boot(domain.firmware) and not _has_smm(domain) and not _is_tdx(domain):
        text = f"{place} has EFI SecureBoot enabled. SecureBoot requires SMM, which is currently disabled."
        causes.add(INVALID, place, text)
    if _boots_on_serial(domain.firmware) and domain.devices.autoattach_serial_console is False:
        serial = f"{place}.firmware.bootloader.bios.useSerial"
        text = "the machine has no serial port; leave out autoattachSerialConsole: false"
        causes.add(INVALID, serial, f"{serial}: {text}")
    if domain.firmware is not None and domain.firmware.acpi is not None:
        _check_tables(causes, domain.firmware.acpi, spec.volumes, f"{place}.firmware.acpi")


def secure_boot(firmware: Firmware | None) -> bool:
    """EFI means secure boot, unless it says otherwise."""
    efi = firmware.bootloader.efi if firmware is not None and firmware.bootloader is not None else None
    return efi is not None and efi.secure_boot is not False


def _boots_on_serial(firmware: Firmware | None) -> bool:
    bios = firmware.bootloader.bios if firmware is not None and firmware.bootloader is not None else None
    return bios is not None and bios.use_serial is True


def _has_smm(domain: Domain) -> bool:
    smm = domain.features.smm if domain.features is not None else None
    return smm is not None and smm.enabled is not False


def _is_tdx(domain: Domain) -> bool:
    """Its firmware is a ROM with the keys inside: there are no variables for SMM to protect."""
    return domain.launch_security is not None and domain.launch_security.tdx is not None


def _check_tables(causes: Causes, tables: ACPITables, volumes: list[Volume], field: str) -> None:
    if not tables.slic_name_ref and not tables.msdm_name_ref:
        causes.add(INVALID, field, f"{field}: ACPI was set but no SLIC nor MSDM volume reference was set")
    by_name = {volume.name: volume for volume in volumes}
    for name, wanted in (("slicNameRef", tables.slic_name_ref), ("msdmNameRef", tables.msdm_name_ref)):
        if not wanted:
            continue
        if wanted not in by_name:
            causes.add(INVALID, f"{field}.{name}", f"{field}.{name} does not have a matching Volume.")
        elif by_name[wanted].secret is None:
            causes.add(INVALID, f"{field}.{name}", f"{field}.{name} refers to Volume of unsupported type.")


def _check_kernel_boot(causes: Causes, boot: KernelBoot, field: str) -> None:
    container = boot.container
    if boot.kernel_args and (container is None or not container.kernel_path):
        place = f"{field}.kernelArgs"
        causes.add(INVALID, place, f"{place}: kernel arguments cannot be provided without an external kernel")
    check_printable(causes, boot.kernel_args, f"{field}.kernelArgs", MAX_KERNEL_ARGS)
    if container is not None:
        _check_container(causes, container, f"{field}.container")


def _check_container(causes: Causes, container: KernelBootContainer, field: str) -> None:
    if not container.image:
        causes.add(REQUIRED, f"{field}.image", f"{field} must be defined with an image")
    else:
        check_image(causes, container.image, f"{field}.image")
    check_pull(causes, container.image_pull_policy, container.image_pull_secret, field)
    if not container.kernel_path and not container.initrd_path:
        text = f"{field} must be defined with at least one of the following: kernelPath, initrdPath"
        causes.add(REQUIRED, field, text)
    elif not container.kernel_path:
        text = f"{field}.initrdPath: an initrd cannot be loaded without kernelPath"
        causes.add(INVALID, f"{field}.initrdPath", text)
    for name, path in (("kernelPath", container.kernel_path), ("initrdPath", container.initrd_path)):
        if path:
            check_file_path(causes, path, f"{field}.{name}")
