"""Which I/O thread serves which disk (``ioThreadsPolicy``, ``dedicatedIOThread``). No options yet.

Source: kubevirt pkg/virt-launcher/virtwrap/converter/{iothreads,storage}. As there, every disk counts for how many
threads there are, but only virtio disks are given one.
"""

from __future__ import annotations

from solovirt.api.kubevirt.spec.disks import Disk
from solovirt.api.quantities import as_bytes
from solovirt.compile.context import Context
from solovirt.compile.drives import bus_of, disk_path
from solovirt.compile.options import Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import manifest
from solovirt.kit.errors import HostError

POLICY = "domain.ioThreadsPolicy"
POOL = "domain.ioThreads.supplementalPoolThreadCount"
POLICIES = ("shared", "auto", "supplementalPool")
MAPPING = "virtio-blk-pci.iothread-vq-mapping"
_PER_CPU = 2


def names(ctx: Context) -> list[str]:
    """All threads, in order. Raises ``Invalid`` for a policy that there is not, or a pool without threads."""
    policy = ctx.spec.domain.io_threads_policy
    if policy and policy not in POLICIES:
        raise invalid(POLICY, f"Invalid IOThreadsPolicy ({policy})", hint="one of " + ", ".join(POLICIES))
    dedicated = sum(_dedicated(disk) for disk in ctx.devices.disks)
    if not policy and not dedicated:
        return []
    return _numbered(_pool(ctx) if policy == "supplementalPool" else _shared(ctx) + dedicated)


def assignment(ctx: Context, index: int) -> list[Prop]:
    """The key of a virtio disk's device that says its thread; nothing for other disks.

    Raises ``HostError`` for a pool that this QEMU cannot spread a disk over.
    """
    threads = names(ctx)
    disks = [(number, disk) for number, disk in enumerate(ctx.devices.disks) if bus_of(disk) == "virtio"]
    if not threads or index not in {number for number, _ in disks}:
        return []
    if ctx.spec.domain.io_threads_policy == "supplementalPool":
        return [_spread(ctx, threads)]
    shared = _shared(ctx)
    before = [_dedicated(disk) for number, disk in disks if number < index]
    if _dedicated(ctx.devices.disks[index]):
        why = manifest(f"{disk_path(index)}.dedicatedIOThread", "a thread of its own")
        return [Prop("iothread", threads[shared + sum(before)], why)]
    which = before.count(False) % max(shared, 1)
    policy = ctx.spec.domain.io_threads_policy
    text = "the threads are given out in turn" if policy == "auto" else "all disks without one of their own share it"
    why = manifest(POLICY if policy else "domain.devices.disks", text)
    return [Prop("iothread", threads[which], why)]


def _dedicated(disk: Disk) -> bool:
    return disk.dedicated_io_thread is True


def _numbered(count: int) -> list[str]:
    return [f"iothread{number}" for number in range(1, count + 1)]


def _pool(ctx: Context) -> int:
    given = ctx.spec.domain.io_threads
    count = given.supplemental_pool_thread_count if given is not None else None
    if not count or count < 1:
        raise invalid(POOL, "the number of iothreads needs to be set and positive for the dedicated policy")
    return count


def _shared(ctx: Context) -> int:
    """How many threads disks without one of their own share."""
    disks = ctx.devices.disks
    dedicated = sum(_dedicated(disk) for disk in disks)
    shared = len(disks) - dedicated
    limit = _limit(ctx)
    return max(limit - dedicated, 1) if shared + dedicated > limit else shared


def _limit(ctx: Context) -> int:
    domain = ctx.spec.domain
    if domain.io_threads_policy != "auto":
        return 1
    if domain.cpu is not None and domain.cpu.dedicated_cpu_placement and domain.cpu.isolate_emulator_thread:
        return 1
    resources = domain.resources
    asked = resources.requests.get("cpu", resources.limits.get("cpu"))
    return _PER_CPU * (as_bytes(asked) or 1)


def _spread(ctx: Context, threads: list[str]) -> Prop:
    qemu = ctx.facts.qemu
    if MAPPING not in qemu.properties:
        version = ".".join(map(str, qemu.version))
        text = f"{qemu.binary} ({version}) cannot spread the queues of a disk over several I/O threads"
        hint = "QEMU 9.0 or newer can; or use ioThreadsPolicy auto"
        raise HostError(text, reason="DeviceMissing", field=POLICY, hint=hint)
    return Prop("iothread-vq-mapping", [{"iothread": name} for name in threads], manifest(POLICY, "queues in turn"))
