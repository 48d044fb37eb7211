"""What KubeVirt fills in. Source: kubevirt pkg/defaults, pkg/{network,storage}/vmispec, api/core/v1/defaults.go.

Identities (firmware uuid and serial) are made here, at the API, so that everything below is deterministic.
"""

from __future__ import annotations

import uuid

from solovirt.api.kubevirt.defaulting import compute, features, storage
from solovirt.api.kubevirt.defaulting.devices import default_devices
from solovirt.api.kubevirt.defaulting.lifecycle import default_lifecycle
from solovirt.api.kubevirt.defaulting.network import default_network
from solovirt.api.kubevirt.defaulting.probes import default_probes
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.instance import Domain
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance

PCI_TOPOLOGY = "kubevirt.io/pci-topology-version"
PCI_TOPOLOGY_VERSION = "v3"


def default_vm(vm: VirtualMachine) -> None:
    """Writes architecture, machine type, firmware uuid and serial, and the PCI topology into the template."""
    template = vm.spec.template
    compute.default_platform(template.spec)
    firmware = template.spec.domain.firmware = template.spec.domain.firmware or Firmware()
    firmware.uuid = firmware.uuid or identity(vm.metadata.uid, "uuid")
    firmware.serial = firmware.serial or identity(vm.metadata.uid, "serial")
    template.metadata.annotations.setdefault(PCI_TOPOLOGY, PCI_TOPOLOGY_VERSION)


def default_vmi(vmi: VirtualMachineInstance) -> None:
    """Everything that a VMI needs to be compiled.

    Values that do not parse stay as they are, for validation to name them.
    """
    spec = vmi.spec
    compute.default_platform(spec)
    compute.default_resources(spec.domain)
    compute.default_memory(spec.domain)
    compute.default_cpu(spec.domain)
    storage.default_pull_policies(spec)
    default_lifecycle(spec)
    default_probes(spec)
    default_network(spec)
    default_devices(spec.domain.devices)
    storage.default_disks(spec)
    _default_firmware(spec.domain, vmi.metadata.uid)
    features.default_features(spec.domain)
    features.default_clock(spec.domain.clock)
    compute.default_max_guest(spec)
    vmi.metadata.annotations.setdefault(PCI_TOPOLOGY, PCI_TOPOLOGY_VERSION)


def identity(uid: str, purpose: str) -> str:
    """A random UUID that stays the same for one object: whoever replaces a VM without naming its uuid keeps it.

    ``uid`` is the object's own, random itself; without one (nothing is stored yet) every call gives another.
    """
    try:
        return str(uuid.uuid5(uuid.UUID(uid), purpose))
    except ValueError:
        return str(uuid.uuid4())


def _default_firmware(domain: Domain, uid: str) -> None:
    firmware = domain.firmware = domain.firmware or Firmware()
    firmware.uuid = firmware.uuid or identity(uid, "uuid")
