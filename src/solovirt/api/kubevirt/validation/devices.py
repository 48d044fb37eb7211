"""Rules for disks and inputs. Source: kubevirt admitters/vmi-create-admitter.go."""

from __future__ import annotations

from collections.abc import Sequence

from solovirt.api.causes import INVALID, KNOWN_UNSUPPORTED, NOT_SUPPORTED, Causes
from solovirt.api.kubevirt.spec.devices import Input
from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.text import check_expression, check_serial, is_pci_address
from solovirt.kit.names import is_dns_label, label_problem

MAX_DISKS = 256
MAX_BOOT_ORDER = 2**31 - 1
BUSES = ("virtio", "scsi", "sata", "usb")
CACHES = ("", "none", "writethrough", "writeback")
IO_MODES = ("", "native", "threads")


def check_devices(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of the VMI spec."""
    disks = spec.domain.devices.disks
    place = f"{field}.domain.devices.disks"
    check_count(causes, disks, place, MAX_DISKS)
    check_same_names(causes, [disk.name for disk in disks], place)
    volumes = {volume.name for volume in spec.volumes}
    for index, disk in enumerate(disks):
        _check_disk(causes, disk, f"{place}[{index}]")
        if disk.name not in volumes:
            name = f"{place}[{index}].name"
            if disk.cdrom is None:
                causes.add(INVALID, name, f"{name} '{disk.name}' not found.")
            elif is_dns_label(disk.name):
                text = f"{name}: '{disk.name}' is a CD-ROM drive without a volume: {KNOWN_UNSUPPORTED}"
                causes.add(NOT_SUPPORTED, name, text)
    _check_boot_order(causes, spec, f"{field}.domain.devices")
    _check_inputs(causes, spec.domain.devices.inputs, f"{field}.domain.devices.inputs")


def check_count(causes: Causes, items: Sequence[object], field: str, most: int) -> None:
    if len(items) > most:
        causes.add("FieldValueTooMany", field, f"{field}: Too many: {len(items)}: must have at most {most} items")


def check_same_names(causes: Causes, names: Sequence[str], field: str) -> None:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            text = f"{field}[{index}] and {field}[{first[name]}] must not have the same Name."
            causes.add(INVALID, f"{field}[{index}].name", text)
        first.setdefault(name, index)


def _check_disk(causes: Causes, disk: Disk, field: str) -> None:
    if problem := label_problem(disk.name):
        causes.invalid(f"{field}.name", disk.name, problem)
    if disk.disk is not None and disk.cdrom is not None:
        causes.add(INVALID, field, f"{field} can only have a single target type defined")
    check_boot_order_value(causes, disk.boot_order, field)
    check_serial(causes, disk.serial, f"{field}.serial")
    if disk.cache not in CACHES:
        causes.add(INVALID, f"{field}.cache", f"{field}.cache has invalid value {disk.cache!r}")
    if disk.io not in IO_MODES:
        text = f"Disk IO mode for {field} is not supported. Supported modes are: native, threads."
        causes.add(NOT_SUPPORTED, f"{field}.io", text)
    _check_target(causes, disk, field)


def check_boot_order_value(causes: Causes, order: int | None, field: str) -> None:
    """Of a disk and of an interface; QEMU's bootindex has 32 bits."""
    if order is not None and order < 1:
        causes.add(INVALID, f"{field}.bootOrder", f"{field} must have a boot order > 0, if supplied")
    elif order is not None and order > MAX_BOOT_ORDER:
        causes.invalid(f"{field}.bootOrder", order, f"must be less than or equal to {MAX_BOOT_ORDER}")


def _check_target(causes: Causes, disk: Disk, field: str) -> None:
    if disk.cdrom is not None:
        _check_bus(causes, disk.cdrom.bus, field, "cdrom")
        if disk.cdrom.bus == "virtio":
            causes.add(INVALID, f"{field}.cdrom.bus", f"{field}: Bus type virtio is invalid for CD-ROM device")
        if disk.cdrom.tray not in ("", "open", "closed"):
            causes.not_supported(f"{field}.cdrom.tray", disk.cdrom.tray, ("open", "closed"))
        if disk.cdrom.readonly is False:
            causes.invalid(f"{field}.cdrom.readonly", "false", "a CD-ROM is always read-only")
    if disk.disk is None:
        return
    target = disk.disk
    _check_bus(causes, target.bus, field, "disk")
    if target.bus in ("", "sata") and target.readonly:
        causes.add(INVALID, f"{field}.disk.bus", f"{field}: sata hard-disks do not support read-only.")
    if target.pci_address:
        place = f"{field}.disk.pciAddress"
        if target.bus != "virtio":
            text = f"disk {field}.name - setting a PCI address is only possible with bus type virtio."
            causes.add(INVALID, place, text)
        if not is_pci_address(target.pci_address):
            causes.add(INVALID, place, f"disk {field}.name has malformed PCI address ({target.pci_address!r}).")


def _check_bus(causes: Causes, bus: str, field: str, target: str) -> None:
    place = f"{field}.{target}.bus"
    if bus == "ide":
        causes.add(INVALID, place, f"{field}: IDE bus is not supported")
    elif bus and bus not in BUSES:
        names = " ".join(BUSES)
        causes.add(INVALID, place, f"{field} is set with an unrecognized bus {bus!r}, must be one of: [{names}]")


def _check_boot_order(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    devices = spec.domain.devices
    orders = [(f"{field}.disks[{index}]", disk.boot_order) for index, disk in enumerate(devices.disks)]
    orders += [(f"{field}.interfaces[{index}]", nic.boot_order) for index, nic in enumerate(devices.interfaces)]
    taken: set[int] = set()
    for place, order in orders:
        if order is None:
            continue
        if order in taken:
            text = f"Boot order for {place}.bootOrder already set for a different device."
            causes.add(INVALID, f"{place}.bootOrder", text)
        taken.add(order)


def _check_inputs(causes: Causes, inputs: list[Input], field: str) -> None:
    check_same_names(causes, [device.name for device in inputs], field)
    for index, device in enumerate(inputs):
        place = f"{field}[{index}]"
        check_expression(causes, device.name, f"{place}.name")
        if device.bus not in ("", "virtio", "usb"):
            text = f"{place}.bus: Input device can have only virtio or usb bus."
            causes.add(INVALID, f"{place}.bus", text)
        if device.type != "tablet":
            text = f"{place}.type: Input device can have only tablet type."
            causes.add(INVALID, f"{place}.type", text)
