"""What one running machine uses: the shapes of its figures. Counters go on for as long as its QEMU lives.

A figure that cannot be known now is None or missing, never zero. Must not know who wants them, nor Prometheus.
"""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct, frozen=True, rename="camel"):
    """Camel-case names in JSON."""


class Vcpu(Figure, frozen=True):
    """``seconds`` of CPU time of its thread; ``delay`` is what it waited for a host CPU, ``wait`` what it slept on the
    host's behalf (None where the kernel does not count it). ``affinity`` is how many host CPUs it may use."""

    index: int
    seconds: float
    delay: float | None = None
    wait: float | None = None
    affinity: int | None = None


class Process(Figure, frozen=True):
    """QEMU as the host's kernel sees it: seconds of CPU time of all threads, resident bytes, age in seconds."""

    user: float
    system: float
    resident: int
    uptime: float
    threads: int


class GuestMemory(Figure, frozen=True):
    """The balloon driver's word, in bytes and counts; ``updated`` is the time (seconds since the epoch)."""

    updated: int
    total: int | None = None
    free: int | None = None
    available: int | None = None
    caches: int | None = None
    swap_in: int | None = None
    swap_out: int | None = None
    major_faults: int | None = None
    minor_faults: int | None = None


class Memory(Figure, frozen=True):
    """Bytes. ``domain`` is what the machine has, with what was plugged; ``balloon`` what the balloon leaves of it."""

    domain: int
    balloon: int | None = None
    guest: GuestMemory | None = None


class Disk(Figure, frozen=True):
    """Counters of one disk since QEMU's start: operations, bytes, seconds."""

    name: str
    reads: int = 0
    writes: int = 0
    flushes: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    read_seconds: float = 0.0
    write_seconds: float = 0.0
    flush_seconds: float = 0.0


class Nic(Figure, frozen=True):
    """Counters of one interface as the guest sees them: what it receives is ``rx``. ``source`` says who counted:
    "guest-agent" (since the guest's boot) or "host" (the tap device's own counters, turned round)."""

    name: str
    source: str
    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0


class Filesystem(Figure, frozen=True):
    """Of the guest, by its agent; bytes."""

    disk: str
    mount_point: str
    type: str
    used: int
    total: int


class Load(Figure, frozen=True):
    """Load averages of the guest over 1, 5 and 15 minutes (an agent of QEMU 10.0 or newer)."""

    one: float
    five: float
    fifteen: float


class Figures(Figure, frozen=True, kw_only=True):
    """One measurement. ``at`` is the host's monotonic clock in seconds: rates are differences of two measurements.

    ``errors`` says in one sentence each what could not be measured though it should."""

    at: float
    process: Process | None = None
    vcpus: tuple[Vcpu, ...] = ()
    memory: Memory | None = None
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    filesystems: tuple[Filesystem, ...] = ()
    load: Load | None = None
    errors: tuple[str, ...] = ()
