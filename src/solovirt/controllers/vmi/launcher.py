"""From a VMI to a running QEMU: prepare what it needs, compile, remember, start.

Two halves: ``prepare`` may take minutes (images) and runs as a job; ``launch`` takes a moment. Both may be begun again
after a crash at any point. Must not write the VMI object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from solovirt.api import registry
from solovirt.api.instancetype import origins
from solovirt.api.instancetype.find import types_of
from solovirt.api.kubevirt.virtualmachine import VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.compile import explain, plan, render, roles
from solovirt.compile.configurators import nics
from solovirt.compile.options import Machine
from solovirt.controllers.site import Site
from solovirt.controllers.vmi import pins, programs
from solovirt.controllers.vmi.hostdevices import Given, HostDeviceGiver
from solovirt.controllers.vmi.lookup import Missing, StoreLookup, claims_of, missing
from solovirt.controllers.vmi.machines import Machines
from solovirt.controllers.vmi.records import LaunchRecord, MachineRecords
from solovirt.controllers.vmi.scheduler import Scheduler
from solovirt.controllers.vmi.users import Users
from solovirt.host import access, equipment, kept, memlock, moment
from solovirt.host.dedicated import realtime
from solovirt.host.equipment import Equipment
from solovirt.host.images.pull import Progress
from solovirt.host.model.bindings import Bindings, KernelBinding, Pins, TaggedDevice, VolumeBinding
from solovirt.host.moment import Moment
from solovirt.host.places import sockets_of
from solovirt.host.volumes.prepare import Context
from solovirt.hypervisor.instance import Instance
from solovirt.hypervisor.model import Launch
from solovirt.kit.errors import Invalid, NotFound
from solovirt.kit.json import clone, to_json
from solovirt.store.objects import Objects

_INSTANCE_TYPES = ("kubevirt.io/cluster-instancetype-name", "kubevirt.io/instancetype-name")
VM_PREFIX, VMI_PREFIX = "spec.template.spec", "spec"


@dataclass(frozen=True, slots=True)
class Prepared:
    pins: Pins
    run_as: tuple[int, int] | None
    volumes: dict[str, VolumeBinding]
    kernel: KernelBinding | None
    given: Given = field(default_factory=Given)
    equipment: Equipment = field(default_factory=Equipment)
    moment: Moment = field(default_factory=Moment)


class Launcher:
    def __init__(
        self, site: Site, records: MachineRecords, machines: Machines, users: Users, scheduler: Scheduler
    ) -> None:
        self._site = site
        self._records = records
        self._machines = machines
        self._users = users
        self._scheduler = scheduler
        self._giver = HostDeviceGiver(site.paths.state, records)
        self._lookup = StoreLookup(site.objects)

    async def prepare(self, vmi: VirtualMachineInstance) -> Prepared:
        """Everything that QEMU will open. Raises what ``Volumes.prepare`` raises."""
        made = pins.complete(vmi, self._records.pins(pins.key(vmi)))
        given = await self._giver.give(vmi, self._site.paths.sockets(vmi.metadata.uid), prefix=VMI_PREFIX)
        run_as = await self._users.take(vmi, given.nodes)
        if run_as is not None:
            await access.grant(run_as[0], devices=given.nodes)
        told = _Pulls(self._site, vmi, asyncio.get_running_loop())
        context = self._context(vmi, made, run_as, told)
        volumes = await self._site.volumes.prepare(vmi, context)
        kernel = await self._site.volumes.prepare_kernel(vmi, context)
        told.done()
        site, key = self._site, pins.key(vmi)
        beside = await equipment.prepare(
            vmi, site.facts, site.paths, key, made, self._lookup, run_as, prefix=VMI_PREFIX
        )
        places = kept.places(site.paths, vmi.metadata.uid, key, run_as)
        now = await asyncio.to_thread(moment.prepare, vmi.spec, vmi.metadata.annotations, places, prefix=VMI_PREFIX)
        return Prepared(made, run_as, volumes, kernel, given, beside, now)

    async def prepare_volume(self, vmi: VirtualMachineInstance, name: str) -> VolumeBinding:
        """One volume for a machine that runs; the others, which it has open, are not touched. What it may open is
        remembered before. Raises what ``Volumes.prepare`` raises."""
        alone = clone(vmi)
        alone.spec.volumes = [volume for volume in alone.spec.volumes if volume.name == name]
        devices = alone.spec.domain.devices
        devices.disks = [disk for disk in devices.disks if disk.name == name]
        devices.filesystems = []
        claims = [self._site.claims.disk(vmi.metadata.namespace, claim) for claim in claims_of(alone)]
        run_as = await self._users.take(vmi, claims)
        told = _Pulls(self._site, vmi, asyncio.get_running_loop())
        context = self._context(vmi, pins.complete(vmi, self._records.pins(pins.key(vmi))), run_as, told)
        found = await self._site.volumes.prepare(alone, context)
        told.done()
        return found[name]

    async def close_volumes(self, vmi: VirtualMachineInstance, paths: Iterable[str]) -> None:
        """Takes back the machine's rights to files of claims that it does not have open any more."""
        await self._users.take_back(vmi.metadata.uid, paths)

    def opened(self, uid: str) -> set[str]:
        """Files outside of its directory that the machine may open."""
        return self._users.opened(uid)

    def waits_for(self, vmi: VirtualMachineInstance, name: str) -> list[Missing]:
        """What a volume refers to that is not there yet."""
        alone = clone(vmi)
        alone.spec.volumes = [volume for volume in alone.spec.volumes if volume.name == name]
        alone.spec.access_credentials = []
        return missing(alone, self._site.objects)

    def _context(
        self, vmi: VirtualMachineInstance, made: Pins, run_as: tuple[int, int] | None, told: _Pulls
    ) -> Context:
        return Context(
            lookup=self._lookup,
            uuid=made.uuid,
            instance_type=instance_type(vmi),
            devices=self._tagged(vmi, made),
            run_as=run_as,
            progress=told.report,
            prefix=VMI_PREFIX,
        )

    def forget(self, uid: str) -> None:
        """Lets go of what was chosen for a machine that will not be started."""
        self._giver.forget(uid)

    def compile(self, vmi: VirtualMachineInstance, prepared: Prepared) -> Machine:
        """Raises ``Invalid`` or ``HostError``."""
        bindings = Bindings(
            namespace=vmi.metadata.namespace,
            name=vmi.metadata.name,
            sockets=sockets_of(self._site.paths, vmi.metadata.uid),
            pins=prepared.pins,
            volumes=prepared.volumes,
            networks=prepared.given.networks,
            host_devices=prepared.given.host_devices,
            vsock_cid=prepared.given.vsock_cid,
            annotations=vmi.metadata.annotations,
            kernel=prepared.kernel,
            firmware=prepared.equipment.firmware,
            acpi_tables=prepared.equipment.acpi_tables,
            filesystems=dict(prepared.equipment.filesystems),
            cpus=self._scheduler.cpus(vmi.metadata.uid),
        )
        bindings = prepared.moment.bound(bindings, vmi.spec)
        return plan.compile_machine(vmi.spec, self._site.facts, bindings)

    async def launch(
        self,
        vmi: VirtualMachineInstance,
        prepared: Prepared,
        machine: Machine,
        announce: Callable[[], Awaitable[None]],
    ) -> Instance:
        """Start the machine. ``announce`` writes the VMI's phase, together with what is remembered of the launch.

        Raises what ``Hypervisor.launch`` raises; nothing runs then.
        """
        uid = vmi.metadata.uid
        argv = tuple(render.argv(machine))
        kernel = prepared.kernel
        record = LaunchRecord(
            namespace=vmi.metadata.namespace,
            name=vmi.metadata.name,
            uuid=machine.pins.uuid,
            argv=argv,
            run_as=prepared.run_as,
            paused=vmi.spec.start_strategy == "Paused",
            pins=machine.pins,
            cpus=self._scheduler.cpus(uid),
            realtime=realtime(vmi.spec),
            sizes={name: volume.image.size for name, volume in prepared.volumes.items() if volume.image.size},
            vsock_cid=prepared.given.vsock_cid,
            devices=prepared.given.addresses,
            links_down=nics.links_down(vmi.spec),
            blobs=tuple(Path(path).name for path in ((kernel.kernel, kernel.initrd) if kernel else ()) if path),
        )
        # In one commit; all of it is on disk before QEMU is.
        await asyncio.gather(
            self._records.put_pins(pins.key(vmi), machine.pins),
            self._records.put_launch(uid, record),
            self._records.put_explanation(uid, self._explanation(vmi, machine)),
            announce(),
        )
        identity = self._machines.identity(uid, record, begun=False)
        self._machines.launching(uid)
        return await self._site.hypervisor.launch(
            Launch(
                uid=uid,
                uuid=record.uuid,
                argv=argv,
                directory=identity.directory,
                sockets=identity.sockets,
                run_as=record.run_as,
                paused=record.paused,
                lock_memory=bool(memlock.reason(vmi.spec)),
                pinning=identity.pinning,
                helpers=programs.helpers(prepared.equipment, self._site.facts, identity.sockets.tpm),
                links_down=identity.links_down,
                groups=self._users.groups(self._site.facts.accel) if record.run_as is not None else (),
            )
        )

    def _tagged(self, vmi: VirtualMachineInstance, made: Pins) -> tuple[TaggedDevice, ...]:
        """Where the guest will find the devices that the manifest tags."""
        sockets = sockets_of(self._site.paths, vmi.metadata.uid)
        bare = Bindings(namespace=vmi.metadata.namespace, name=vmi.metadata.name, sockets=sockets, pins=made)
        return roles.tagged(vmi.spec, self._site.facts, bare)

    def _explanation(self, vmi: VirtualMachineInstance, machine: Machine) -> explain.Explanation:
        """With the paths of the object that a person wrote: the VM where there is one."""
        owner_uid = pins.key(vmi)
        vm = self._site.objects.find(registry.VIRTUAL_MACHINES, vmi.metadata.namespace, vmi.metadata.name)
        if vm is not None and vm.metadata.uid == owner_uid:
            given = known_origins(vm, self._site.objects)
            return explain.explain(machine, prefix=VM_PREFIX, lines=explain.Written(to_json(vm)), origins=given)
        return explain.explain(machine, prefix=VMI_PREFIX, lines=explain.Written(to_json(vmi)))


def known_origins(vm: VirtualMachine, objects: Objects) -> explain.Origins:
    """What the VM's instancetype and preference filled in; nothing once they and their revisions are gone."""
    try:
        return origins.origins(vm, types_of(vm, objects))
    except (NotFound, Invalid):
        return {}


def instance_type(vmi: VirtualMachineInstance) -> str:
    """The name of the instancetype that sized the VM, for its seed; "" for none."""
    annotations = vmi.metadata.annotations
    return next((annotations[name] for name in _INSTANCE_TYPES if annotations.get(name)), "")


class _Pulls:
    """Turns the progress of pulls into the kubelet's events."""

    def __init__(self, site: Site, vmi: VirtualMachineInstance, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._events = site.events
        self._vmi = vmi
        self._seen: set[str] = set()

    def report(self, progress: Progress) -> None:
        """May be called from the thread that copies."""
        self._loop.call_soon_threadsafe(self._take, progress)

    def _take(self, progress: Progress) -> None:
        if progress.phase != "resolving" and progress.reference not in self._seen:
            self._seen.add(progress.reference)
            size = f" ({progress.total / (1 << 20):.1f} MiB)" if progress.total else ""
            self._events.normal(self._vmi, "Pulling", f'Pulling image "{progress.reference}"{size}')

    def done(self) -> None:
        for reference in sorted(self._seen):
            self._events.normal(self._vmi, "Pulled", f'Successfully pulled image "{reference}"')
