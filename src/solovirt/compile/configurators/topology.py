"""-smp: vCPUs at start, and room for sockets that are added while the guest runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from solovirt.compile.configurators import machine
from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop, Reason
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, host, manifest

PATH = "domain.cpu"
HEADROOM = 4
"""Sockets that a running VM may grow to, as a multiple (KubeVirt's LiveUpdate default)."""
_APIC_IDS = 255
"""Ids that fit without x2APIC remapping, which emulation does not have (QEMU hw/i386/x86.c)."""


class Topology(msgspec.Struct, frozen=True):
    sockets: int
    cores: int
    threads: int
    max_sockets: int
    why_max: Reason

    @property
    def vcpus(self) -> int:
        return self.sockets * self.cores * self.threads

    @property
    def max_vcpus(self) -> int:
        return self.max_sockets * self.cores * self.threads


def options(ctx: Context) -> Iterator[Option]:
    found = resolve(ctx)
    product = manifest(PATH, f"{found.sockets} sockets x {found.cores} cores x {found.threads} threads at start")
    yield Option(
        "-smp",
        KeyValues(
            "",
            None,
            (
                Prop("cpus", found.vcpus, product),
                Prop("maxcpus", found.max_vcpus, found.why_max),
                Prop("sockets", found.max_sockets, found.why_max),
                Prop("dies", 1, default("one die per socket")),
                Prop("cores", found.cores, manifest(f"{PATH}.cores", "cores of each socket")),
                Prop("threads", found.threads, manifest(f"{PATH}.threads", "threads of each core")),
            ),
        ),
        product,
    )


def resolve(ctx: Context) -> Topology:
    """Raises ``Invalid`` when the machine type cannot hold so many vCPUs."""
    cpu = ctx.spec.domain.cpu
    given = {name: getattr(cpu, name) if cpu else None for name in ("sockets", "cores", "threads")}
    for name, count in given.items():
        if count is not None and count < 1:
            raise invalid(f"{PATH}.{name}", "must be at least 1")
    sockets, cores, threads = (given[name] or 1 for name in ("sockets", "cores", "threads"))
    limit, why_limit = _limit(ctx)
    if sockets * cores * threads > limit:
        raise invalid(PATH, f"{sockets * cores * threads} vCPUs are more than {why_limit} can have ({limit})")
    if ctx.facts.accel == "tcg" and _apic_ids(sockets, cores, threads) > _APIC_IDS:
        raise invalid(PATH, "so many vCPUs in this topology need KVM, which does not work here")
    wish = cpu.max_sockets if cpu and cpu.max_sockets else sockets * HEADROOM
    most, why = _room(Shape(sockets, cores, threads), wish, limit, why_limit)
    return Topology(sockets, cores, threads, most, why)


class Shape(NamedTuple):
    sockets: int
    cores: int
    threads: int


def _room(shape: Shape, wish: int, limit: int, why_limit: str) -> tuple[int, Reason]:
    """The most sockets. A wish within the usual headroom (KubeVirt writes it into every VMI) is cut to what fits; a
    greater one was somebody's own, and is refused when it does not fit."""
    sockets, cores, threads = shape
    path = f"{PATH}.maxSockets"
    if wish < sockets:
        raise invalid(path, f"must not be less than sockets ({sockets})")
    for most in range(wish, sockets - 1, -1):
        fits = most * cores * threads <= limit and _apic_ids(most, cores, threads) <= _APIC_IDS
        if fits and most == wish:
            return most, manifest(path, "sockets that a running VM may grow to")
        if wish > sockets * HEADROOM:
            raise invalid(path, f"{wish * cores * threads} vCPUs are more than {why_limit} can have")
        if fits:
            return most, host(f"sockets that a running VM may grow to, as many as {why_limit} can have", path)
    return sockets, host("no more sockets fit into this machine", path)


def _limit(ctx: Context) -> tuple[int, str]:
    chosen, _ = machine.resolve(ctx)
    return chosen.cpu_max, chosen.name


def _apic_ids(sockets: int, cores: int, threads: int) -> int:
    """One more than the highest APIC id: each level takes a whole number of bits (QEMU include/hw/i386/topology.h)."""
    thread_bits = (threads - 1).bit_length()
    core_bits = (cores - 1).bit_length()
    highest = ((sockets - 1) << (thread_bits + core_bits)) | ((cores - 1) << thread_bits) | (threads - 1)
    return highest + 1
