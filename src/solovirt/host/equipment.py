"""What a machine needs of this host besides volumes and networks: firmware, ACPI tables, a TPM, shared directories.

``planned`` says it without touching anything, ``prepare`` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.host import acpi, filesystems, firmware, kept, tpm
from solovirt.host.helpers_probe import SWTPM, VIRTIOFSD
from solovirt.host.model.bindings import ACPITablesBinding, FilesystemBinding, FirmwareBinding, Pins
from solovirt.host.model.facts import HostFacts
from solovirt.host.network import hostname
from solovirt.host.packages import PACKAGES
from solovirt.host.volumes import seeds
from solovirt.host.volumes.claims import Claims
from solovirt.host.volumes.cloudinit import Contents, Machine
from solovirt.kit.errors import HostError
from solovirt.kit.offload import to_thread
from solovirt.kit.paths import Paths


class Equipment(msgspec.Struct, frozen=True):
    """``tpm_state`` is where the TPM keeps its state; None without one."""

    firmware: FirmwareBinding | None = None
    acpi_tables: ACPITablesBinding | None = None
    filesystems: Mapping[str, FilesystemBinding] = {}
    tpm_state: Path | None = None


def planned(vmi: VirtualMachineInstance, facts: HostFacts, paths: Paths, key: str, pins: Pins) -> Equipment:
    """``key`` is the uid of what the machine belongs to. Raises ``Invalid`` or ``HostError``."""
    uid = vmi.metadata.uid or vmi.metadata.name or "vmi"
    places = kept.Places(paths.instance(uid), paths.vm(key or uid))
    return Equipment(
        firmware=firmware.plan(vmi.spec, facts, places, machine=pins.machine),
        acpi_tables=acpi.plan(vmi.spec, places),
        filesystems=filesystems.plan(
            vmi.spec, vmi.metadata.namespace or "default", Claims(paths.volumes), places, paths.sockets(uid)
        ),
    )


async def prepare(
    vmi: VirtualMachineInstance,
    facts: HostFacts,
    paths: Paths,
    key: str,
    pins: Pins,
    lookup: Contents,
    run_as: tuple[int, int] | None,
    *,
    prefix: str = "spec",
) -> Equipment:
    """May be called again for the same VMI. Raises what the modules of ``host`` raise, and ``HostError`` reason
    "MissingTool" for a program that is not installed."""
    programs(vmi, facts, prefix)
    return await to_thread(_prepare, vmi, facts, paths, key, pins, lookup, run_as, prefix)


def _prepare(
    vmi: VirtualMachineInstance,
    facts: HostFacts,
    paths: Paths,
    key: str,
    pins: Pins,
    lookup: Contents,
    run_as: tuple[int, int] | None,
    prefix: str,
) -> Equipment:
    spec, meta = vmi.spec, vmi.metadata
    places = kept.places(paths, meta.uid, key, run_as)
    claims, sockets = Claims(paths.volumes), paths.sockets(meta.uid)
    content = _contents(vmi, pins, lookup)
    return Equipment(
        firmware=firmware.prepare(spec, facts, places, machine=pins.machine),
        acpi_tables=acpi.prepare(spec, meta.namespace, lookup, places, prefix=prefix),
        filesystems=filesystems.prepare(spec, meta.namespace, claims, places, sockets, content, prefix=prefix),
        tpm_state=tpm.prepare(spec, places),
    )


def share(
    vmi: VirtualMachineInstance, name: str, paths: Paths, key: str, pins: Pins, lookup: Contents
) -> FilesystemBinding:
    """One filesystem, prepared for a machine that runs; the others are left alone. Blocks. Raises as ``prepare``."""
    meta = vmi.metadata
    places = kept.places(paths, meta.uid, key)
    content = _contents(vmi, pins, lookup)
    claims, sockets = Claims(paths.volumes), paths.sockets(meta.uid)
    return filesystems.prepare(vmi.spec, meta.namespace, claims, places, sockets, content, only=name)[name]


def unshare(vmi: VirtualMachineInstance, name: str, paths: Paths, key: str) -> None:
    """What ``share`` wrote for one that is unplugged. Blocks."""
    filesystems.discard(kept.places(paths, vmi.metadata.uid, key), name)


def _contents(vmi: VirtualMachineInstance, pins: Pins, lookup: Contents) -> filesystems.Content:
    seeded = Machine(vmi.metadata.namespace, vmi.metadata.name, hostname(vmi), pins.uuid)

    def content(volume: Volume, path: str) -> Mapping[str, bytes]:
        return seeds.seed(volume, vmi, seeded, lookup, path).files

    return content


def programs(vmi: VirtualMachineInstance, facts: HostFacts, prefix: str = "spec") -> None:
    """Raises ``HostError`` reason "MissingTool" when a program that the spec needs is not on this host."""
    devices = f"{prefix}.domain.devices"
    wanted = []
    if tpm.wanted(vmi.spec) is not None:
        wanted.append((SWTPM, "a TPM", f"{devices}.tpm"))
    if vmi.spec.domain.devices.filesystems:
        wanted.append((VIRTIOFSD, "shared directories", f"{devices}.filesystems"))
    for name, purpose, place in wanted:
        if name not in facts.helpers:
            text = f"{name}, needed for {purpose}, is not installed"
            raise HostError(text, reason="MissingTool", field=place, hint=f"apt install {PACKAGES[name]}")
