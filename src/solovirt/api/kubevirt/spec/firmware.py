"""domain.firmware: identity, bootloader, kernel boot and ACPI tables (KubeVirt api core/v1 schema.go)."""

from __future__ import annotations

from solovirt.api.meta import Model


class BIOS(Model):
    use_serial: bool | None = None


class EFI(Model):
    """``secureBoot`` unset means true; ``persistent`` keeps the variables across restarts."""

    secure_boot: bool | None = None
    persistent: bool | None = None


class Bootloader(Model):
    bios: BIOS | None = None
    efi: EFI | None = None


class KernelBootContainer(Model):
    image: str
    image_pull_secret: str = ""
    image_pull_policy: str = ""
    kernel_path: str = ""
    initrd_path: str = ""


class KernelBoot(Model):
    kernel_args: str = ""
    container: KernelBootContainer | None = None


class ACPITables(Model):
    """Names of secret volumes that hold a table each."""

    slic_name_ref: str = ""
    msdm_name_ref: str = ""


class Firmware(Model):
    uuid: str = ""
    serial: str = ""
    bootloader: Bootloader | None = None
    kernel_boot: KernelBoot | None = None
    acpi: ACPITables | None = None
