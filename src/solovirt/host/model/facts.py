"""Facts: what this host and its QEMU are, as frozen values. Probed by ``solovirt.host``, read by ``solovirt.compile``.

Recorded facts of other hosts decode into the same types, so a command line can be compiled for a host that is not this
one.
"""

from __future__ import annotations

import msgspec


class MachineType(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One entry of QMP ``query-machines``; ``alias`` is e.g. "q35" for pc-q35-7.2."""

    name: str
    alias: str = ""
    cpu_max: int = 1
    deprecated: bool = False


class CPUModel(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One entry of QMP ``query-cpu-definitions``; ``missing`` are features the accelerator here cannot give."""

    name: str
    missing: tuple[str, ...] = ()


class QemuFacts(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One QEMU binary, asked once over QMP. ``version`` is (major, minor, micro)."""

    binary: str
    version: tuple[int, int, int]
    package: str = ""
    arch: str = "x86_64"
    machines: tuple[MachineType, ...] = ()
    devices: frozenset[str] = frozenset()
    """QOM types under "device" that can be instantiated (``qom-list-types``)."""
    objects: frozenset[str] = frozenset()
    cpu_models: tuple[CPUModel, ...] = ()
    cpu_features: dict[str, bool] = {}
    """Features of the widest CPU model here, by name: True where the accelerator can give it (empty: not known)."""
    netdevs: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()
    """Of the few that are asked for, those that devices here have ("virtio-blk-pci.iothread-vq-mapping")."""
    options: frozenset[str] = frozenset()
    """``query-command-line-options`` names ("sandbox", "audiodev", ...)."""


class Firmware(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One firmware descriptor (QEMU docs/interop/firmware.json), as far as x86-64 flash and ROM images go.

    ``code`` and ``variables`` (the template of the NVRAM) are paths with their formats; ``machines`` are patterns as in
    the descriptor ("pc-q35-*"); ``features`` its feature names ("secure-boot", "requires-smm", "enrolled-keys", ...).
    """

    code: str
    code_format: str = "raw"
    variables: str = ""
    variables_format: str = "raw"
    rom: bool = False
    machines: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()


class HostModel(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The named model nearest to the host's CPU and the features that make up the difference, in order."""

    name: str
    features: dict[str, bool] = {}


class HostNode(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One NUMA node of the host. ``hugepages`` maps a page size in bytes to how many pages the node's pool holds."""

    number: int
    cpus: tuple[int, ...]
    memory: int = 0
    hugepages: dict[int, int] = {}


class SEV(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """AMD's memory encryption, as ``query-sev-capabilities`` tells it: where the C-bit is, how many address bits it
    costs; ``encrypted_state`` (SEV-ES) and ``snp`` are switches of the kvm_amd module."""

    cbitpos: int
    reduced_phys_bits: int = 1
    encrypted_state: bool = False
    snp: bool = False


class HostFacts(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Everything compile may know of the host. ``accel`` is what works ("kvm" or "tcg"), not what exists."""

    qemu: QemuFacts
    accel: str
    accel_reason: str = ""
    """Why: "KVM probe did not finish within 2 s", "SOLOVIRT_ACCEL=tcg", "/dev/kvm is missing"."""
    cpus: int = 1
    memory: int = 0
    """Bytes."""
    node_name: str = "localhost"
    firmware: tuple[Firmware, ...] = ()
    """In the order in which they are preferred."""
    helpers: dict[str, str] = {}
    """Helper programs that are installed, by name ("swtpm", "virtiofsd", "qemu-pr-helper"): their paths."""
    host_model: HostModel | None = None
    """For host-model with KVM; None where it is not known, and QEMU's own host model stands for it."""
    nodes: tuple[HostNode, ...] = ()
    labels: dict[str, str] = {}
    """The node's labels, which nodeSelector is compared with."""
    sev: SEV | None = None
    tdx: bool = False
    """Intel's trust domains: a switch of the kvm_intel module."""
