"""What KubeVirt fills in. Source: kubevirt pkg/defaults, pkg/{network,storage}/vmispec, api/core/v1/defaults.go.

Identities (firmware uuid and serial) are made here, at the API, so that everything below is deterministic.
"""

from __future__ import annotations

import uuid

from solovirt.api.kubevirt.defaulting.lifecycle import default_lifecycle
from solovirt.api.kubevirt.defaulting.probes import default_probes
from solovirt.api.kubevirt.spec.compute import CPU, Machine, Memory, Quantity
from solovirt.api.kubevirt.spec.devices import Devices
from solovirt.api.kubevirt.spec.disks import Disk, DiskTarget
from solovirt.api.kubevirt.spec.features import Features, FeatureState
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.sources import Network, PodNetwork
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.quantities import as_bytes

ARCHITECTURE = "amd64"
MACHINE_TYPE = "q35"
CPU_MODEL = "host-model"
DISK_BUS = "sata"
HOTPLUG_RATIO = 4
MAX_VCPUS = 512
PCI_TOPOLOGY = "kubevirt.io/pci-topology-version"
PCI_TOPOLOGY_VERSION = "v3"


def default_vm(vm: VirtualMachine) -> None:
    """Writes architecture, machine type, firmware uuid and serial, and the PCI topology into the template."""
    template = vm.spec.template
    _default_platform(template.spec)
    firmware = template.spec.domain.firmware = template.spec.domain.firmware or Firmware()
    firmware.uuid = firmware.uuid or identity(vm.metadata.uid, "uuid")
    firmware.serial = firmware.serial or identity(vm.metadata.uid, "serial")
    template.metadata.annotations.setdefault(PCI_TOPOLOGY, PCI_TOPOLOGY_VERSION)


def default_vmi(vmi: VirtualMachineInstance) -> None:
    """Everything that a VMI needs to be compiled, but ``memory.maxGuest``: memory hotplug is not done yet.

    Values that do not parse stay as they are, for validation to name them.
    """
    spec = vmi.spec
    _default_platform(spec)
    _default_resources(spec.domain)
    _default_memory(spec.domain)
    _default_cpu(spec.domain)
    _default_pull_policies(spec)
    default_lifecycle(spec)
    default_probes(spec)
    _default_network(spec)
    _default_disks(spec)
    _default_firmware(spec.domain, vmi.metadata.uid)


def identity(uid: str, purpose: str) -> str:
    """A random UUID that stays the same for one object: whoever replaces a VM without naming its uuid keeps it.

    ``uid`` is the object's own, random itself; without one (nothing is stored yet) every call gives another.
    """
    try:
        return str(uuid.uuid5(uuid.UUID(uid), purpose))
    except ValueError:
        return str(uuid.uuid4())


def pull_policy(image: str) -> str:
    """Always for ``:latest`` and untagged images, IfNotPresent for other tags and digests."""
    name = image.rpartition("/")[2]
    if "@" in image or (":" in name and not name.endswith(":latest")):
        return "IfNotPresent"
    return "Always"


def _default_platform(spec: VirtualMachineInstanceSpec) -> None:
    spec.architecture = spec.architecture or ARCHITECTURE
    machine = spec.domain.machine = spec.domain.machine or Machine()
    machine.type = machine.type or MACHINE_TYPE


def _default_resources(domain: Domain) -> None:
    resources = domain.resources
    if "cpu" in resources.limits:
        resources.requests.setdefault("cpu", resources.limits["cpu"])


def _default_memory(domain: Domain) -> None:
    memory = domain.memory = domain.memory or Memory()
    if memory.guest is None:
        resources = domain.resources
        memory.guest = _nonzero(resources.requests.get("memory")) or _nonzero(resources.limits.get("memory"))


def _nonzero(value: Quantity | None) -> Quantity | None:
    return value if as_bytes(value) else None


def _default_cpu(domain: Domain) -> None:
    cpu = domain.cpu = domain.cpu or CPU()
    if cpu.sockets is None and cpu.cores is None and cpu.threads is None:
        resources = domain.resources
        asked = resources.limits.get("cpu", resources.requests.get("cpu"))
        cpu.sockets = max(as_bytes(asked) or 1, 1)
    cpu.sockets = 1 if cpu.sockets is None else cpu.sockets
    cpu.cores = 1 if cpu.cores is None else cpu.cores
    cpu.threads = 1 if cpu.threads is None else cpu.threads
    cpu.model = cpu.model or CPU_MODEL
    if cpu.max_sockets is None and min(cpu.sockets, cpu.cores, cpu.threads) > 0:
        within = MAX_VCPUS // (cpu.cores * cpu.threads)
        cpu.max_sockets = max(min(cpu.sockets * HOTPLUG_RATIO, within), cpu.sockets)


def _default_pull_policies(spec: VirtualMachineInstanceSpec) -> None:
    for volume in spec.volumes:
        disk = volume.container_disk
        if disk is not None:
            disk.image_pull_policy = disk.image_pull_policy or pull_policy(disk.image)
    firmware = spec.domain.firmware
    container = firmware.kernel_boot.container if firmware is not None and firmware.kernel_boot is not None else None
    if container is not None:
        container.image_pull_policy = container.image_pull_policy or pull_policy(container.image)


def _default_network(spec: VirtualMachineInstanceSpec) -> None:
    devices = spec.domain.devices
    if devices.autoattach_pod_interface is False or spec.networks or devices.interfaces:
        return
    devices.interfaces = [Interface(name="default", bridge=Binding())]
    spec.networks = [Network(name="default", pod=PodNetwork())]


def _default_disks(spec: VirtualMachineInstanceSpec) -> None:
    devices: Devices = spec.domain.devices
    named = {disk.name for disk in devices.disks}
    devices.disks.extend(Disk(name=volume.name) for volume in spec.volumes if volume.name not in named)
    for disk in devices.disks:
        if disk.disk is None and disk.cdrom is None:
            disk.disk = DiskTarget()
        if disk.disk is not None:
            disk.disk.bus = disk.disk.bus or DISK_BUS
        if disk.cdrom is not None:
            disk.cdrom.bus = disk.cdrom.bus or DISK_BUS
            disk.cdrom.tray = disk.cdrom.tray or "closed"
            disk.cdrom.readonly = True if disk.cdrom.readonly is None else disk.cdrom.readonly


def _default_firmware(domain: Domain, uid: str) -> None:
    firmware = domain.firmware = domain.firmware or Firmware()
    firmware.uuid = firmware.uuid or identity(uid, "uuid")
    features = domain.features = domain.features or Features()
    acpi = features.acpi = features.acpi or FeatureState()
    acpi.enabled = True if acpi.enabled is None else acpi.enabled
