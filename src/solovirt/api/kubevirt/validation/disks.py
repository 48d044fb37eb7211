"""Rules for disks and I/O threads. Source: kubevirt pkg/storage/admitters/disks.go, vmi-create-admitter.go."""

from __future__ import annotations

from solovirt.api.causes import INVALID, NOT_SUPPORTED, REQUIRED, Causes
from solovirt.api.kubevirt.defaulting.storage import DISK_BUS
from solovirt.api.kubevirt.spec.disks import BlockSize, CustomBlockSize, Disk
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.validation.devices import check_boot_order_value, check_count, check_same_names
from solovirt.api.kubevirt.validation.text import check_printable, check_serial, is_pci_address
from solovirt.kit.names import label_problem

MAX_DISKS = 256
BUSES = ("virtio", "scsi", "sata", "usb")
CACHES = ("", "none", "writethrough", "writeback")
IO_MODES = ("", "native", "threads")
ERROR_POLICIES = ("", "stop", "ignore", "report", "enospace")
IO_THREADS_POLICIES = ("", "shared", "auto", "supplementalPool")
MAX_POOL = 1024
LUN_VOLUMES = "can only be mapped to a DataVolume or PersistentVolumeClaim volume."
SATA_PORTS = 6
"""Of the chipset: a disk or CD-ROM each."""
_MAX_TAG = 256
_SMALLEST_BLOCK, _LARGEST_BLOCK = 512, 2 << 20


def check_disks(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of the VMI spec."""
    disks = spec.domain.devices.disks
    place = f"{field}.domain.devices.disks"
    check_count(causes, disks, place, MAX_DISKS)
    check_same_names(causes, [disk.name for disk in disks], place)
    volumes = {volume.name: volume for volume in spec.volumes}
    for index, disk in enumerate(disks):
        _check_disk(causes, disk, f"{place}[{index}]")
        volume = volumes.get(disk.name)
        if volume is not None:
            _check_mapping(causes, disk, volume, f"{place}[{index}]")
        elif disk.cdrom is None:
            name = f"{place}[{index}].name"
            causes.add(INVALID, name, f"{name} '{disk.name}' not found.")
    _check_sata_ports(causes, spec, place)
    _check_boot_order(causes, spec, f"{field}.domain.devices")
    _check_io_threads(causes, spec.domain, f"{field}.domain")


def _check_disk(causes: Causes, disk: Disk, field: str) -> None:
    if problem := label_problem(disk.name):
        causes.invalid(f"{field}.name", disk.name, problem)
    if sum(target is not None for target in (disk.disk, disk.lun, disk.cdrom)) > 1:
        causes.add(INVALID, field, f"{field} can only have a single target type defined")
    check_boot_order_value(causes, disk.boot_order, field)
    check_serial(causes, disk.serial, f"{field}.serial")
    check_printable(causes, disk.tag, f"{field}.tag", _MAX_TAG)
    if disk.cache not in CACHES:
        causes.add(INVALID, f"{field}.cache", f"{field}.cache has invalid value {disk.cache!r}")
    if disk.io not in IO_MODES:
        text = f"Disk IO mode for {field} is not supported. Supported modes are: native, threads."
        causes.add(NOT_SUPPORTED, f"{field}.io", text)
    if disk.error_policy not in ERROR_POLICIES:
        text = f'{field}.errorPolicy has invalid value "{disk.error_policy}"'
        causes.add(INVALID, f"{field}.errorPolicy", text)
    if disk.io == "native" and disk.cache not in ("", "none"):
        text = f'{field}.io: native needs cache "none", here it is "{disk.cache}"'
        causes.add(INVALID, f"{field}.io", text)
    if disk.shareable and disk.cache not in ("", "none"):
        text = f"{field}: a sharable disk requires cache = none got: {disk.cache}"
        causes.add(INVALID, f"{field}.cache", text)
    if disk.changed_block_tracking:
        text = "changed blocks are tracked for VM backups only, which solovirt does not make"
        causes.add(NOT_SUPPORTED, f"{field}.changedBlockTracking", f"{field}.changedBlockTracking: {text}")
    _check_target(causes, disk, field)
    if disk.block_size is not None:
        _check_block_size(causes, disk.block_size, _target(disk)[1] or DISK_BUS, f"{field}.blockSize")


def _check_mapping(causes: Causes, disk: Disk, volume: Volume, field: str) -> None:
    """A device of the host may be a LUN, too: KubeVirt's refusal of it is told as a warning."""
    if disk.lun is not None and not (_is_claim(volume) or volume.host_disk is not None):
        causes.add(INVALID, f"{field}.lun", f"{field}.lun {LUN_VOLUMES}")
    if volume.downward_metrics is None:
        return
    if disk.disk is None:
        text = f"DownwardMetrics volume must be mapped to a disk, but disk is not set on {field}.disk."
        causes.add(REQUIRED, f"{field}.disk", text)
    elif (disk.disk.bus or DISK_BUS) != "virtio":
        place, bus = f"{field}.disk.bus", disk.disk.bus or DISK_BUS
        text = f"DownwardMetrics volume must be mapped to virtio bus, but {place} is set to {bus!r}"
        causes.add(INVALID, place, text)


def _is_claim(volume: Volume) -> bool:
    """Whether a claim is behind this volume."""
    return volume.persistent_volume_claim is not None or volume.data_volume is not None


def _target(disk: Disk) -> tuple[str, str]:
    """(kind, bus); both empty where nothing is given yet."""
    if disk.disk is not None:
        return "disk", disk.disk.bus
    if disk.lun is not None:
        return "lun", disk.lun.bus
    return ("cdrom", disk.cdrom.bus) if disk.cdrom is not None else ("", "")


def _check_target(causes: Causes, disk: Disk, field: str) -> None:
    for kind, target in (("disk", disk.disk), ("lun", disk.lun), ("cdrom", disk.cdrom)):
        if target is not None:
            _check_bus(causes, target.bus, field, kind)
    bus = _target(disk)[1] or DISK_BUS
    if disk.dedicated_io_thread and bus != "virtio":
        text = f"{field}: IOThreads are not supported for disks on a {bus} bus"
        causes.add(NOT_SUPPORTED, f"{field}.dedicatedIOThread", text)
    if disk.cdrom is not None:
        if disk.cdrom.bus == "virtio":
            causes.add(INVALID, f"{field}.cdrom.bus", f"{field}: Bus type virtio is invalid for CD-ROM device")
        if disk.cdrom.tray not in ("", "open", "closed"):
            causes.not_supported(f"{field}.cdrom.tray", disk.cdrom.tray, ("open", "closed"))
    if disk.disk is None:
        return
    target = disk.disk
    if bus == "sata" and target.readonly:
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


def _check_block_size(causes: Causes, given: BlockSize, bus: str, field: str) -> None:
    """As KubeVirt: of several problems of one custom size only the first is told."""
    custom, matched = given.custom, given.match_volume
    if custom is None:
        return
    if matched is not None and matched.enabled is not False:
        text = f"{field}: Block size matching can't be enabled together with a custom value"
        causes.add(INVALID, field, text)
        return
    problem = _custom_problem(custom, bus)
    if problem is not None:
        place = f"{field}.custom.{problem[0]}"
        causes.add(INVALID, place, f"{place}: {problem[1]}")
        return
    for name, size in (("logical", custom.logical or 0), ("physical", custom.physical or 0)):
        _check_size(causes, size, f"{field}.custom.{name}")


def _custom_problem(custom: CustomBlockSize, bus: str) -> tuple[str, str] | None:
    """(field, sentence)"""
    logical, physical, discard = custom.logical or 0, custom.physical or 0, custom.discard_granularity
    if logical > physical:
        return "logical", f"Logical size {logical} must be the same or less than the physical size of {physical}"
    if bus == "sata" and logical != _SMALLEST_BLOCK:
        return "logical", f"Logical size {logical} must be {_SMALLEST_BLOCK} for SATA devices"
    if discard is not None and (discard < 0 or (logical > 0 and discard % logical)):
        return "discardGranularity", f"Discard granularity {discard} must be multiples of logical size {logical}"
    if bus == "sata" and discard not in (None, 0, _SMALLEST_BLOCK):
        return "discardGranularity", f"Discard granularity {discard} must be {_SMALLEST_BLOCK} for SATA devices"
    return None


def _check_size(causes: Causes, size: int, field: str) -> None:
    problem = ""
    if size < _SMALLEST_BLOCK:
        problem = f"is less than the supported minimum size of {_SMALLEST_BLOCK}"
    elif size > _LARGEST_BLOCK:
        problem = f"is greater than the supported maximum size of {_LARGEST_BLOCK}"
    elif size & (size - 1):
        problem = "is not a power of 2"
    if problem:
        causes.add(INVALID, field, f"{field}: Provided size of {size} {problem}")


def _check_sata_ports(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """libvirt would add controllers: here there are those of the chipset. Volumes that no device names get a disk."""
    devices = spec.domain.devices
    named = {disk.name for disk in devices.disks} | {shared.name for shared in devices.filesystems}
    places = [
        f"{field}[{index}]"
        for index, disk in enumerate(devices.disks)
        if disk.lun is None and (_target(disk)[1] or DISK_BUS) == "sata"
    ]
    places += [field for volume in spec.volumes if volume.name not in named and volume.memory_dump is None]
    for place in dict.fromkeys(places[SATA_PORTS:]):
        causes.add(
            INVALID, place, f"{place}: the machine has {SATA_PORTS} SATA ports, all in use; use bus virtio or scsi"
        )


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


def _check_io_threads(causes: Causes, domain: Domain, field: str) -> None:
    policy = domain.io_threads_policy
    if policy not in IO_THREADS_POLICIES:
        place = f"{field}.ioThreadsPolicy"
        causes.add(INVALID, place, f"{place}: Invalid IOThreadsPolicy ({policy})")
    count = domain.io_threads.supplemental_pool_thread_count if domain.io_threads is not None else None
    place = f"{field}.ioThreads.supplementalPoolThreadCount"
    if policy == "supplementalPool" and (count is None or count < 1):
        text = "the number of iothreads needs to be set and positive for the dedicated policy"
        causes.add(INVALID, place, f"{place}: {text}")
    elif count is not None and not 0 <= count <= MAX_POOL:
        causes.invalid(place, count, f"must be between 1 and {MAX_POOL}")
