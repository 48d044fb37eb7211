"""The memory of a VM as a file in a claim, as KubeVirt's ``memorydump`` has it; or as a stream to whoever asks.

A dump into a claim goes on in QEMU whatever happens to this daemon: the next one takes it over and finishes it, or
removes what is left of it. Phases are in the VM's ``status.memoryDumpRequest``. Must not know HTTP.

Source: kubevirt pkg/virt-api/rest/memorydump.go, pkg/storage/memorydump, pkg/virt-launcher/virtwrap/storage.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from solovirt.api import registry
from solovirt.api.core.persistentvolumeclaim import BLOCK
from solovirt.api.kubevirt.virtualmachine import MemoryDumpRequest, VirtualMachine
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.controllers import memory_stream, refusals
from solovirt.controllers.memory_stream import MemoryStream
from solovirt.controllers.refusals import conflict
from solovirt.controllers.site import Key, Site
from solovirt.controllers.targets import Targets
from solovirt.controllers.vmi.dumps import DumpRecord, DumpRecords
from solovirt.controllers.vmi.machines import Machines
from solovirt.host.images import files
from solovirt.hypervisor import dump
from solovirt.hypervisor.happenings import Listener
from solovirt.hypervisor.instance import Instance
from solovirt.kit import quantity
from solovirt.kit.aio import TaskSet
from solovirt.kit.errors import BadRequest, GuestError, NotFound, SolovirtError, Unavailable

VMS, CLAIMS = registry.VIRTUAL_MACHINES, registry.PERSISTENT_VOLUME_CLAIMS
ASSOCIATING, IN_PROGRESS, COMPLETED = "Associating", "InProgress", "Completed"
DISSOCIATING, FAILED = "Dissociating", "Failed"
ANNOTATION = "kubevirt.io/memory-dump"
"""Of the claim: the file in it, or that the dump failed."""
SUFFIX, PART = ".memory.dump", ".part"
LONGEST_NAME = 200
"""Characters of the VM's and the claim's name in that of a file, which has 255 at most."""
CLAIM = "persistentvolumeclaim.kubevirt.io"
OVERHEAD = 100 << 20
FILESYSTEM_OVERHEAD = 0.055
"""CDI's default, which KubeVirt adds to what a claim has to hold."""


class MemoryDumps:
    """All raise NotFound for an unknown VM or VMI, Conflict when it does not run."""

    def __init__(self, site: Site, targets: Targets, machines: Machines) -> None:
        self._site = site
        self._objects = site.objects
        self._targets = targets
        self._machines = machines
        self._records = DumpRecords(site.objects.records)
        self._jobs: set[Key] = set()
        self._tasks = TaskSet("memory dumps")

    async def request(self, namespace: str, name: str, claim: str) -> None:
        """Dump the memory of a VM into a claim; ``claim`` "" is the one of the last dump. Returns once it is written
        down. Raises Conflict for a claim that is unfit, or while there is another dump.
        """
        vm = self._targets.vm(namespace, name)
        last = vm.status.memory_dump_request
        if last is None and not claim:
            raise BadRequest("Memory dump requires claim name to be set")
        if last is not None and claim not in ("", last.claim_name):
            other = f"while pvc [{last.claim_name}] is still associated as the memory dump pvc"
            raise conflict(name, f"can't request memory dump for pvc [{claim}] {other}")
        claim = claim or (last.claim_name if last is not None else "")
        vmi = self._targets.vmi(namespace, name)
        if vmi.status.phase != "Running":
            raise conflict(name, "VMI is not running", refusals.VMI)
        self._check_claim(vmi, claim)

        def change(found: VirtualMachine) -> bool:
            _check_free(found, claim)
            found.status.memory_dump_request = MemoryDumpRequest(claim_name=claim, phase=ASSOCIATING)
            return True

        await self._objects.modify(VMS, namespace, name, change, status=True)
        self._start((namespace, name))

    async def remove(self, namespace: str, name: str) -> None:
        """The VM has no claim for dumps any more; what is in the claim stays. A dump comes to its end first."""
        self._targets.vm(namespace, name)
        busy = (namespace, name) in self._jobs

        def change(found: VirtualMachine) -> bool:
            last = found.status.memory_dump_request
            if last is None:
                text = f"can't remove memory dump association for vm {name}, no association found"
                raise conflict(name, text)
            if last.remove:
                raise conflict(name, f"memory dump remove request for pvc [{last.claim_name}] already exists")
            left = MemoryDumpRequest(claim_name=last.claim_name, phase=DISSOCIATING, remove=True)
            found.status.memory_dump_request = left if busy else None
            return True

        await self._objects.modify(VMS, namespace, name, change, status=True)

    @asynccontextmanager
    async def stream(self, namespace: str, name: str, form: str = dump.ELF) -> AsyncIterator[MemoryStream]:
        """The memory of a VMI as it comes. Raises BadRequest for a format that its QEMU has not."""
        if form not in dump.FORMATS:
            raise BadRequest(f"format: unknown {form[:40]!r}: one of {', '.join(dump.FORMATS)}", field="format")
        vmi, instance = self._targets.running(namespace, name)
        async with memory_stream.opened(instance, form, self._tasks) as stream:
            self._site.events.normal(vmi, "MemoryDump", f"The guest's memory is being read ({form}).")
            try:
                yield stream
            except SolovirtError as error:
                self._site.events.warning(vmi, "MemoryDumpFailed", str(error))
                raise

    async def resume(self) -> None:
        """After a start of the daemon: dumps that an earlier one began."""
        written = {(one.namespace, one.name) for one in self._records.all().values()}
        for vm in self._objects.list(VMS).items:
            request = vm.status.memory_dump_request
            if request is not None and request.phase not in (COMPLETED, FAILED):
                written.add((vm.metadata.namespace, vm.metadata.name))
        for key in written:
            self._start(key)

    async def close(self) -> None:
        """Dumps into claims go on in QEMU."""
        await self._tasks.close()

    async def wait(self) -> None:
        """Until all that was begun is done."""
        await self._tasks.wait()

    # One dump.

    def _start(self, key: Key) -> None:
        if key not in self._jobs:
            self._jobs.add(key)
            self._tasks.spawn(self._run(key), f"memory dump of {key}")

    async def _run(self, key: Key) -> None:
        try:
            # Somebody may ask again the moment after the end.
            while self._is_asked(key):
                await self._step(key)
        finally:
            self._jobs.discard(key)

    def _is_asked(self, key: Key) -> bool:
        vm = self._objects.find(VMS, *key)
        request = vm.status.memory_dump_request if vm is not None else None
        left = any((one.namespace, one.name) == key for one in self._records.all().values())
        return left or (request is not None and request.phase not in (COMPLETED, FAILED))

    async def _step(self, key: Key) -> None:
        """Records of machines that are gone first: their files are only in the way."""
        vm = self._objects.find(VMS, *key)
        vmi = self._targets.vmi_of(vm) if vm is not None else None
        for uid, left in self._records.all().items():
            if (left.namespace, left.name) == key and not (
                vmi and vmi.metadata.uid == uid and self._machines.known(uid)
            ):
                await self._forget(uid, left)
        if vm is None or vm.status.memory_dump_request is None:
            return
        try:
            instance = self._machines.known(vmi.metadata.uid) if vmi is not None else None
            if vmi is None or instance is None:
                raise GuestError("the machine ended before its memory was dumped", reason="DumpFailed")
            record = self._records.all().get(vmi.metadata.uid)
            if record is None and vm.status.memory_dump_request.phase != ASSOCIATING:
                raise GuestError("the daemon was stopped before the dump was complete", reason="DumpFailed")
            await self._dump(vmi, instance, record or self._named(vm, vmi), known=record is not None)
        except SolovirtError as error:
            await self._fail(key, vm.status.memory_dump_request.claim_name, error)

    async def _dump(self, vmi: VirtualMachineInstance, instance: Instance, record: DumpRecord, *, known: bool) -> None:
        """Begins it unless QEMU has begun (``known``: an earlier daemon may have had it do so), and sees it through."""
        key, partial = (record.namespace, record.name), self._partial(record)
        target = partial.with_name(record.file)
        try:
            if not (known and await asyncio.to_thread(target.exists)):
                with instance.happenings.listen() as listener:
                    if not (known and await asyncio.to_thread(_has_content, partial)):
                        await self._begin(vmi, instance, record)
                    await _see_through(instance, listener)
                await asyncio.to_thread(_publish, partial, target)
        except SolovirtError:
            await self._forget(instance.uid, record)
            raise
        await self._annotate(record.namespace, record.claim, record.file)
        self._site.events.normal(vmi, "MemoryDumped", f"The guest's memory is in claim {record.claim}: {record.file}")

        def completed(request: MemoryDumpRequest) -> None:
            request.phase, request.file_name, request.end_timestamp = COMPLETED, record.file, self._site.now()

        await self._tell(key, completed)
        await self._records.drop(instance.uid)

    async def _forget(self, uid: str, record: DumpRecord) -> None:
        """What is left of a dump that has no end."""
        try:
            await asyncio.to_thread(_discard, self._partial(record))
        finally:
            # Or it would be tried again at once, for ever.
            await self._records.drop(uid)

    async def _begin(self, vmi: VirtualMachineInstance, instance: Instance, record: DumpRecord) -> None:
        await self._records.put(instance.uid, record)

        def began(request: MemoryDumpRequest) -> None:
            request.phase, request.start_timestamp = IN_PROGRESS, self._site.now()

        await self._tell((record.namespace, record.name), began)
        self._site.events.normal(vmi, "MemoryDump", f"The guest's memory is being written into claim {record.claim}.")
        descriptor = await asyncio.to_thread(_make, self._partial(record), _memory(vmi))
        try:
            await dump.begin(instance, descriptor)
        finally:
            os.close(descriptor)

    async def _fail(self, key: Key, claim: str, error: SolovirtError) -> None:
        vmi = self._objects.find(registry.VIRTUAL_MACHINE_INSTANCES, *key)
        if vmi is not None:
            self._site.events.warning(vmi, "MemoryDumpFailed", str(error))

        def failed(request: MemoryDumpRequest) -> None:
            request.phase, request.message, request.end_timestamp = FAILED, str(error), self._site.now()

        await self._annotate(key[0], claim, "Memory dump failed")
        await self._tell(key, failed)

    async def _tell(self, key: Key, change: Callable[[MemoryDumpRequest], None]) -> None:
        """Changes the VM's request; one that was to be removed meanwhile goes once the dump has come to its end."""

        def apply(found: VirtualMachine) -> bool:
            request = found.status.memory_dump_request
            if request is None:
                return False
            if request.remove:
                told = MemoryDumpRequest(claim_name=request.claim_name)
                change(told)
                if told.phase == IN_PROGRESS:
                    return False
                found.status.memory_dump_request = None
                return True
            change(request)
            return True

        with contextlib.suppress(NotFound):
            await self._objects.modify(VMS, *key, apply, status=True)

    async def _annotate(self, namespace: str, claim: str, text: str) -> None:
        with contextlib.suppress(NotFound):
            await self._objects.modify(
                CLAIMS, namespace, claim, lambda found: found.metadata.annotations.update({ANNOTATION: text}) is None
            )

    def _check_claim(self, vmi: VirtualMachineInstance, name: str) -> None:
        """KubeVirt's refusals, word for word."""
        claim = self._objects.find(CLAIMS, vmi.metadata.namespace, name)
        if claim is None:
            raise NotFound(f'{CLAIM} "{name}" not found')
        if claim.spec.volume_mode == BLOCK:
            raise conflict(name, "pvc should be filesystem pvc", CLAIM)
        if "ReadOnlyMany" in claim.spec.access_modes:
            raise conflict(name, "pvc access mode can't be read only", CLAIM)
        given = quantity.to_bytes(claim.spec.resources.requests.get("storage", 0))
        needed = needed_size(_memory(vmi))
        if given < needed:
            sizes = f"pvc size [{quantity.format_bytes(given)}] should be bigger then [{quantity.format_bytes(needed)}]"
            raise conflict(name, sizes, CLAIM)

    def _named(self, vm: VirtualMachine, vmi: VirtualMachineInstance) -> DumpRecord:
        request = vm.status.memory_dump_request
        claim = request.claim_name if request is not None else ""
        moment = self._site.clock().strftime("%Y%m%d-%H%M%S")
        name = vmi.metadata.name
        return DumpRecord(vmi.metadata.namespace, name, claim, f"{f'{name}-{claim}'[:LONGEST_NAME]}-{moment}{SUFFIX}")

    def _partial(self, record: DumpRecord) -> Path:
        return self._site.claims.disk(record.namespace, record.claim).with_name(f".{record.file}{PART}")


def needed_size(memory: int) -> int:
    """Bytes that a claim must have for a dump of so many bytes of memory."""
    with_overhead = int((memory + OVERHEAD) * (1 + FILESYSTEM_OVERHEAD))
    return -(-with_overhead // (1 << 20)) << 20


def _memory(vmi: VirtualMachineInstance) -> int:
    """Bytes that the guest has at most."""
    memory, now = vmi.spec.domain.memory, vmi.status.memory
    given = [vmi.spec.domain.resources.requests.get("memory", 0)]
    given += [memory.guest] if memory is not None and memory.guest is not None else []
    given += [now.guest_current] if now is not None and now.guest_current is not None else []
    return max(quantity.to_bytes(one) for one in given)


def _check_free(vm: VirtualMachine, claim: str) -> None:
    last, name = vm.status.memory_dump_request, vm.metadata.name
    if last is None:
        return
    if last.phase == DISSOCIATING:
        raise conflict(name, f"can't dump memory for pvc [{claim}] a remove memory dump request is in progress")
    if last.phase not in (COMPLETED, FAILED):
        raise conflict(name, f"memory dump request for pvc [{claim}] already in progress")


async def _see_through(instance: Instance, listener: Listener) -> None:
    """Waits for the end of a dump. Raises ``GuestError`` when it failed or the machine ended."""
    while True:
        try:
            found = await dump.step(instance, listener)
        except Unavailable as error:
            if instance.has_exited:
                raise GuestError("QEMU ended during the memory dump", reason="DumpFailed") from error
            await asyncio.sleep(dump.LOOK)
            continue
        if found.status == "completed":
            return
        if found.status == "none":
            raise GuestError("QEMU knows of no memory dump", reason="DumpFailed")


def _make(partial: Path, memory: int) -> int:
    """A new file beside the claim's disk; dumps of before go first. Raises ``HostError``. Blocks."""
    with files.telling(partial.parent, "memory dump"):
        files.make_directory(partial.parent)
        for old in [*partial.parent.glob(f"*{SUFFIX}"), *partial.parent.glob(f".*{SUFFIX}{PART}")]:
            old.unlink(missing_ok=True)
        files.require_space(partial.parent, memory, "memory dump")
        return os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _has_content(partial: Path) -> bool:
    try:
        return partial.stat(follow_symlinks=False).st_size > 0
    except FileNotFoundError:
        return False


def _publish(partial: Path, target: Path) -> None:
    with files.telling(partial.parent, "memory dump"):
        files.publish(partial, target)


def _discard(partial: Path) -> None:
    with files.telling(partial.parent, "memory dump"):
        partial.unlink(missing_ok=True)
