"""What the guest's memory is made of: anonymous, a shared memfd, huge pages; and the NUMA nodes that it is split into.

One decision for -machine, -m, -object and -numa. Source: kubevirt converter/compute/{memory_backing,cpu}.go and
vcpu/vcpu.go, libvirt's order of keys.
"""

from __future__ import annotations

import msgspec

from solovirt.api.kubevirt.spec.compute import Quantity
from solovirt.api.quantities import as_bytes
from solovirt.compile.context import Context
from solovirt.compile.options import Prop, Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest, needs
from solovirt.kit.errors import HostError
from solovirt.kit.quantity import format_bytes, to_bytes

MAIN = "pc.ram"
GUEST = "domain.memory.guest"
MAX_GUEST = "domain.memory.maxGuest"
PAGE_SIZE = "domain.memory.hugepages.pageSize"
PASSTHROUGH = "domain.cpu.numa.guestMappingPassthrough"
MEMFD = "kubevirt.io/memfd"
PAGE_SIZES = (2 * 1024**2, 1024**3)
GROWS_BY = "solovirt.io/memory-hotplug"
"""Annotation of the VMI: "virtio-mem" or "pc-dimm"; without it the machine has both."""
VIRTIO_MEM, PC_DIMM = "virtio-mem", "pc-dimm"
_ADDRESSES = 512 * 1024**3
"""Half of what a CPU of 40 address bits has, QEMU's usual model: the other half is for PCI devices and alignment."""
_MIB = 1024**2


class Node(msgspec.Struct, frozen=True):
    """One NUMA node of the guest: its memory is the object ``backend``. ``host_node`` is None where any will do."""

    number: int
    backend: str
    memory: int
    vcpus: tuple[int, ...] | None
    """None for all of them."""
    host_node: int | None
    why: Reason


def guest_bytes(ctx: Context) -> tuple[int, str]:
    """Guest memory in whole MiB (as libvirt rounds it), and the field it came from. Raises ``Invalid``."""
    domain = ctx.spec.domain
    if domain.memory and domain.memory.guest is not None:
        return _mebibytes(domain.memory.guest, GUEST), GUEST
    for kind, amounts in (("requests", domain.resources.requests), ("limits", domain.resources.limits)):
        if "memory" in amounts:
            path = f"domain.resources.{kind}.memory"
            return _mebibytes(amounts["memory"], path), path
    if domain.memory and domain.memory.hugepages and domain.memory.hugepages.page_size:
        return _mebibytes(domain.memory.hugepages.page_size, PAGE_SIZE), PAGE_SIZE
    raise invalid(GUEST, "no memory requested", reason="FieldValueRequired", hint=f"set {GUEST}, for example 1Gi")


def growth_bytes(ctx: Context) -> int:
    """What may be added later, in whole blocks; 0 without ``maxGuest``. Raises ``Invalid``."""
    memory = ctx.spec.domain.memory
    if memory is None or memory.max_guest is None:
        return 0
    size, _ = guest_bytes(ctx)
    most = _mebibytes(memory.max_guest, MAX_GUEST)
    if most < size:
        raise invalid(MAX_GUEST, f"must not be less than guest ({format_bytes(size)})")
    block = max(page_size(ctx), 2 * _MIB)
    return (most - size) // block * block


def virtio_mem_bytes(ctx: Context) -> int:
    """The size of the virtio-mem device; 0 for none. Raises ``Invalid``."""
    return 0 if _grows_by(ctx) == PC_DIMM else growth_bytes(ctx)


def dimm_bytes(ctx: Context) -> int:
    """What DIMMs may add; 0 where there shall be none, or the addresses would be too many for both. Raises
    ``Invalid``."""
    kind, extra = _grows_by(ctx), growth_bytes(ctx)
    if kind == PC_DIMM:
        return extra
    return extra if not kind and guest_bytes(ctx)[0] + 2 * extra <= _ADDRESSES else 0


def _grows_by(ctx: Context) -> str:
    kind = ctx.bindings.annotations.get(GROWS_BY, "")
    if kind not in ("", VIRTIO_MEM, PC_DIMM):
        path = f"metadata.annotations[{GROWS_BY}]"
        raise invalid(path, f'"{kind}" is unknown', reason="FieldValueNotSupported", hint=f"{VIRTIO_MEM} or {PC_DIMM}")
    return kind


def page_size(ctx: Context) -> int:
    """Bytes of a huge page, 0 for ordinary memory. Raises ``Invalid`` for a size that x86 does not have."""
    memory = ctx.spec.domain.memory
    if memory is None or memory.hugepages is None:
        return 0
    size = as_bytes(memory.hugepages.page_size)
    if size is None or size not in PAGE_SIZES:
        text = f'"{memory.hugepages.page_size}" is not the size of a huge page'
        raise invalid(PAGE_SIZE, text, reason="FieldValueNotSupported", hint="2Mi or 1Gi")
    return size


def shared(ctx: Context) -> Reason | None:
    """Why another process maps the guest's memory; None when none does."""
    if ctx.devices.filesystems:
        return needs("virtiofsd maps the guest's memory", "domain.devices.filesystems")
    for index, nic in enumerate(ctx.devices.interfaces):
        if nic.passt_binding is not None:
            return needs("passt maps the guest's memory", f"domain.devices.interfaces[{index}].passtBinding")
    return None


def backing(ctx: Context, *, preallocated: bool = True) -> tuple[Prop, ...]:
    """The keys of a memory object that say what it is made of, ``qom-type`` first. Raises ``HostError``."""
    page, sharing = page_size(ctx), shared(ctx)
    if not page and sharing is None:
        return (Prop("qom-type", "memory-backend-ram", default("anonymous memory", "domain.memory")),)
    paged = manifest(PAGE_SIZE, f"huge pages of {format_bytes(page)}, from the host's pool")
    props: list[Prop]
    if page and sharing is None and ctx.bindings.annotations.get(MEMFD) == "false":
        if not ctx.bindings.hugetlbfs:
            text = f"no hugetlbfs with pages of {format_bytes(page)} is mounted, and {MEMFD} is false"
            mount = f"mount -t hugetlbfs -o pagesize={format_bytes(page)[:-1]} none DIRECTORY"
            raise HostError(text, reason="NoHugetlbfs", field=PAGE_SIZE, hint=mount)
        file = manifest(f"metadata.annotations[{MEMFD}]", "a file on hugetlbfs instead of a memfd")
        props = [Prop("qom-type", "memory-backend-file", file), Prop("mem-path", ctx.bindings.hugetlbfs, file)]
    else:
        props = [Prop("qom-type", "memory-backend-memfd", paged if page else sharing or paged)]
        if page:
            props += [Prop("hugetlb", True, paged), Prop("hugetlbsize", page, paged)]
    if sharing is not None:
        props.append(Prop("share", True, sharing))
    if page and preallocated:
        props.append(
            Prop("prealloc", True, default("a pool that is too small is noticed now, not when the guest runs"))
        )
    return tuple(props)


def nodes(ctx: Context) -> list[Node]:
    """The guest's NUMA nodes; none for a plain machine. Raises ``HostError`` when the cells are not the guest's."""
    size, _ = guest_bytes(ctx)
    cells = ctx.bindings.cpus.cells if ctx.bindings.cpus is not None and _passthrough(ctx) else ()
    if cells:
        if sum(cell.memory for cell in cells) != size:
            raise HostError("the NUMA cells do not add up to the guest's memory", reason="InvalidBindings", field=GUEST)
        why = manifest(PASSTHROUGH, "the guest's nodes are the host's that its CPUs are on")
        return [
            Node(number, f"ram-node{number}", cell.memory, cell.vcpus, cell.host_node, why)
            for number, cell in enumerate(cells)
        ]
    why_one = _one_node(ctx)
    return [Node(0, MAIN, size, None, None, why_one)] if why_one else []


def _one_node(ctx: Context) -> Reason | None:
    """Why everything must be in one NUMA node."""
    if growth_bytes(ctx):
        return needs("memory can only be added to a NUMA node", MAX_GUEST)
    if _passthrough(ctx):
        return None
    if page_size(ctx):
        return needs("memory of its own kind belongs to a NUMA node, as KubeVirt has it", PAGE_SIZE)
    return shared(ctx)


def _passthrough(ctx: Context) -> bool:
    cpu = ctx.spec.domain.cpu
    return cpu is not None and cpu.numa is not None and cpu.numa.guest_mapping_passthrough is not None


def bound(node: Node) -> tuple[Prop, ...]:
    """The keys of a node's memory object that keep it on one node of the host."""
    if node.host_node is None:
        return ()
    where = host("the host's node that the vCPUs of this cell are on", PASSTHROUGH)
    return (Prop("host-nodes", [node.host_node], where), Prop("policy", "bind", where))


def _mebibytes(amount: Quantity, path: str) -> int:
    try:
        size = to_bytes(amount)
    except ValueError as error:
        raise invalid(path, str(error)) from None
    if size <= 0:
        raise invalid(path, "must be greater than 0")
    return -(-size // _MIB) * _MIB
