"""From a namespace and a name to the object or the machine that a request is about; or KubeVirt's refusal."""

from __future__ import annotations

from solovirt.api import registry
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers import refusals
from solovirt.controllers.refusals import conflict
from solovirt.controllers.site import Site
from solovirt.controllers.vm import factory
from solovirt.controllers.vmi.reconciler import VirtualMachineInstances
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import RunState

_INSTALL = "install and start qemu-guest-agent in the guest"
VMS, VMIS = registry.VIRTUAL_MACHINES, registry.VIRTUAL_MACHINE_INSTANCES


class Targets:
    """All raise NotFound for an unknown VM or VMI."""

    def __init__(self, site: Site, vmis: VirtualMachineInstances) -> None:
        self._objects = site.objects
        self._vmis = vmis

    def vm(self, namespace: str, name: str) -> VirtualMachine:
        vm = self._objects.find(VMS, namespace, name)
        if vm is None:
            raise refusals.not_found(name, refusals.VM)
        return vm

    def vmi(self, namespace: str, name: str) -> VirtualMachineInstance:
        vmi = self._objects.find(VMIS, namespace, name)
        if vmi is None:
            raise refusals.not_found(name, refusals.VMI)
        return vmi

    def vmi_of(self, vm: VirtualMachine) -> VirtualMachineInstance | None:
        """The VM's own VMI."""
        vmi = self._objects.find(VMIS, vm.metadata.namespace, vm.metadata.name)
        return vmi if vmi is not None and factory.controls(vm.metadata.uid, vmi) else None

    def running(self, namespace: str, name: str) -> tuple[VirtualMachineInstance, Instance]:
        """A VMI whose machine runs (or is paused). Raises Conflict."""
        vmi = self.vmi(namespace, name)
        instance = self._vmis.machines.known(vmi.metadata.uid)
        if vmi.status.phase != "Running" or instance is None:
            raise conflict(name, refusals.VM_NOT_RUNNING)
        return vmi, instance

    def with_agent(self, namespace: str, name: str) -> Instance:
        """A machine whose guest agent is there. Raises Conflict."""
        vmi = self.vmi(namespace, name)
        instance = self._vmis.machines.known(vmi.metadata.uid)
        if vmi.status.phase != "Running" or instance is None:
            raise conflict(name, "VMI is not running", refusals.VMI)
        if not instance.agent.connected:
            error = conflict(name, refusals.NO_AGENT, refusals.VMI)
            asleep = instance.run_state is RunState.SUSPENDED
            error.hint = "the guest is suspended: `solovirt guest wakeup` wakes it up" if asleep else _INSTALL
            raise error
        return instance
