"""Volumes that are added to and removed from VMs and VMIs, and media of drives: the spec is edited, the rest follows.

Must not know HTTP. Source: kubevirt pkg/virt-api/rest/volumes.go.
"""

from __future__ import annotations

from collections.abc import Callable

from solovirt.api import registry
from solovirt.api.kubevirt import volume_requests as requests
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.kubevirt.volume_requests import AddVolumeOptions, MediumOptions, Refused, RemoveVolumeOptions
from solovirt.controllers import refusals
from solovirt.controllers.refusals import conflict
from solovirt.controllers.site import Site
from solovirt.controllers.targets import Targets
from solovirt.kit.errors import BadRequest, NotFound
from solovirt.kit.json import clone

VMS, VMIS = registry.VIRTUAL_MACHINES, registry.VIRTUAL_MACHINE_INSTANCES
Change = Callable[[VirtualMachineInstanceSpec], None]
"""Edits a VMI spec in place, or raises Refused."""


class VolumeOperations:
    """``vmi``: of a VMI that no VM owns, not of a VM.

    All raise NotFound; Conflict for what does not fit, BadRequest and Invalid for what makes no sense.
    """

    def __init__(self, site: Site, targets: Targets) -> None:
        self._objects = site.objects
        self._targets = targets

    async def add(
        self, namespace: str, name: str, options: AddVolumeOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None:
        """A volume with its disk, for good: a running guest gets it now, and at every later start."""
        disk, source = requests.check_add(options)
        await self._edit(namespace, name, lambda spec: requests.add(spec, disk, source), vmi, dry_run)

    async def remove(
        self, namespace: str, name: str, options: RemoveVolumeOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None:
        if not options.name:
            raise BadRequest("RemoveVolumeOptions requires name to be set")
        await self._edit(namespace, name, lambda spec: requests.remove(spec, options.name), vmi, dry_run)

    async def change_medium(
        self, namespace: str, name: str, options: MediumOptions, *, vmi: bool = False, dry_run: bool = False
    ) -> None:
        """Put a claim's disc into a CD-ROM drive, in the place of another if there is one, or take it out."""
        if not options.disk:
            raise BadRequest("disk: the name of a CD-ROM drive is required", field="disk")
        source = options.volume_source
        if source is not None:
            requests.check_source(source)
        await self._edit(namespace, name, lambda spec: requests.change_medium(spec, options.disk, source), vmi, dry_run)

    async def _edit(self, namespace: str, name: str, change: Change, vmi: bool, dry_run: bool) -> None:
        if vmi:
            await self._edit_vmi(namespace, name, change, dry_run)
        else:
            await self._edit_vm(namespace, name, change, dry_run)

    async def _edit_vm(self, namespace: str, name: str, change: Change, dry_run: bool) -> None:
        def apply(found: VirtualMachine) -> bool:
            _applied(change, found.spec.template.spec, name, refusals.VM)
            return True

        vm = self._targets.vm(namespace, name)
        if dry_run:
            edited = clone(vm)
            apply(edited)
            await self._objects.update(VMS, edited, dry_run=True)
            return
        try:
            await self._objects.modify(VMS, namespace, name, apply)
        except NotFound:
            raise refusals.not_found(name, refusals.VM) from None

    async def _edit_vmi(self, namespace: str, name: str, change: Change, dry_run: bool) -> None:
        def apply(found: VirtualMachineInstance) -> bool:
            _applied(change, found.spec, name, refusals.VMI)
            return True

        vmi = self._targets.vmi(namespace, name)
        if any(ref.controller and ref.kind == VMS.kind for ref in vmi.metadata.owner_references):
            raise BadRequest(f"VMI {namespace}/{name} is owned by a VM")
        if vmi.status.phase != "Running":
            raise conflict(name, "VMI is not running", refusals.VMI)
        if dry_run:
            edited = clone(vmi)
            apply(edited)
            await self._objects.update(VMIS, edited, dry_run=True)
            return
        try:
            await self._objects.modify(VMIS, namespace, name, apply)
        except NotFound:
            raise refusals.not_found(name, refusals.VMI) from None


def _applied(change: Change, spec: VirtualMachineInstanceSpec, name: str, kind: str) -> None:
    try:
        change(spec)
    except Refused as refused:
        raise conflict(name, str(refused), kind) from None
