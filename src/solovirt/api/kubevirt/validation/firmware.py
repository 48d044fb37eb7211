"""Rules for firmware identity and kernel boot. Source: kubevirt admitters/vmi-create-admitter.go."""

from __future__ import annotations

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.kubevirt.spec.firmware import Firmware, KernelBoot, KernelBootContainer
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
    if firmware.kernel_boot is not None:
        _check_kernel_boot(causes, firmware.kernel_boot, f"{field}.kernelBoot")


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
