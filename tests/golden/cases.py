"""Golden cases: a manifest, what the host resolved its names to, and the command line that must come out.

Each folder here has ``vm.yaml``; ``bindings.json`` where the bindings that ``default_bindings`` makes up do not do;
``host.json`` with the accelerator and what else is not as in the recorded facts; and the golden files: ``argv.txt``
(one option a line, not quoted) and ``reasons.txt`` (the table of ``explain``) with the facts of QEMU 7.2, and
``argv.qemu-10.0.txt`` with those of 10.0. Reasons of 10.0 lie there only where they say more than another version of
the machine type. A ``host.json`` that names facts compiles for those alone. ``tests/golden/update`` rewrites them all.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from solovirt.api.decode import decode
from solovirt.api.instancetype.expand import template_of
from solovirt.api.instancetype.find import types_of
from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.registry import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
from solovirt.cli.typeobjects import TypeObjects
from solovirt.compile import explain
from solovirt.compile.options import Machine
from solovirt.compile.plan import compile_machine
from solovirt.host import acpi, facts, filesystems, firmware, kept, network, rtc
from solovirt.host.model.bindings import (
    ACPITablesBinding,
    Bindings,
    CPUPlacement,
    DiskImage,
    FilesystemBinding,
    FirmwareBinding,
    HostDeviceBinding,
    KernelBinding,
    LaunchSecurityBinding,
    NetworkBinding,
    Pins,
    Sockets,
    VolumeBinding,
)
from solovirt.host.model.facts import SEV, HostFacts, HostModel
from solovirt.host.volumes.claims import Claims
from solovirt.kit import yaml
from solovirt.kit.errors import HostError, SolovirtError
from solovirt.kit.linemap import LineMap

HERE = Path(__file__).parent
STATE = "/var/lib/solovirt"
RUNTIME = "/run/solovirt"
T = TypeVar("T")
USUAL, NEWER = "qemu-7.2", "qemu-10.0"
"""Recorded facts: the first makes argv.txt, the second argv.qemu-10.0.txt."""
NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
"""When every case starts."""
UUID = "a2d16c7b-f14c-4ed9-9d74-4daf163510e2"


class Overrides(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """``bindings.json``."""

    volumes: dict[str, VolumeBinding] = {}
    networks: dict[str, NetworkBinding] = {}
    kernel: KernelBinding | None = None
    pins: Pins | None = None
    cpus: CPUPlacement | None = None
    hugetlbfs: str = ""
    launch_security: LaunchSecurityBinding | None = None
    host_devices: dict[str, HostDeviceBinding] = {}
    vsock_cid: int = 3
    firmware: FirmwareBinding | None = None
    acpi_tables: ACPITablesBinding | None = None
    filesystems: dict[str, FilesystemBinding] = {}


class Host(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """``host.json``."""

    facts: str = ""
    """Empty: the case compiles for ``USUAL`` and for ``NEWER``."""
    accel: str = "tcg"
    accel_reason: str = ""
    host_model: HostModel | None = None
    sev: SEV | None = None


@dataclass(frozen=True)
class Case:
    name: str
    spec: VirtualMachineInstanceSpec
    facts: HostFacts
    bindings: Bindings
    prefix: str
    lines: LineMap | None

    def machine(self) -> Machine:
        return compile_machine(self.spec, self.facts, self.bindings, prefix=self.prefix)

    def explanation(self) -> explain.Explanation:
        return explain.explain(self.machine(), prefix=self.prefix, lines=self.lines)

    def argv_text(self) -> str:
        rows = self.explanation().rows
        return "".join(f"{row.flag} {row.value}\n" if row.value is not None else f"{row.flag}\n" for row in rows)

    def reasons_text(self) -> str:
        return explain.table(self.explanation())


def names() -> list[str]:
    return sorted(path.parent.name for path in HERE.glob("*/vm.yaml"))


def facts_of(name: str) -> tuple[str, ...]:
    """The facts that a case compiles for; argv.txt is the first's."""
    own = (_read(HERE / name / "host.json", Host) or Host()).facts
    return (own,) if own else (USUAL, NEWER)


def pairs() -> list[tuple[str, str]]:
    """Every case with each of its facts."""
    return [(name, known) for name in names() for known in facts_of(name)]


def load(name: str, facts: str = "") -> Case:
    """``facts``: one of ``facts_of``, the first if empty."""
    folder = HERE / name
    host = _read(folder / "host.json", Host) or Host()
    host.facts = facts or host.facts
    document = yaml.load_all((folder / "vm.yaml").read_bytes(), source="vm.yaml")[0]
    kind = document.value["kind"] if isinstance(document.value, dict) else ""
    if kind == "VirtualMachine":
        vm = decode(VIRTUAL_MACHINES, document.value, lines=document.lines).object
        template, _ = template_of(vm, types_of(vm, TypeObjects()))
        vmi = VirtualMachineInstance(metadata=template.metadata, spec=template.spec)
        prefix = "spec.template.spec"
    else:
        vmi, prefix = decode(VIRTUAL_MACHINE_INSTANCES, document.value, lines=document.lines).object, "spec"
    identified = vmi.spec.domain.firmware = vmi.spec.domain.firmware or Firmware()
    identified.uuid = identified.uuid or UUID
    default_vmi(vmi)
    known = host_facts(host)
    return Case(
        name=name,
        spec=vmi.spec,
        facts=known,
        bindings=default_bindings(
            name, vmi.spec, _read(folder / "bindings.json", Overrides), vmi.metadata.annotations, known
        ),
        prefix=prefix,
        lines=document.lines,
    )


def host_facts(host: Host | None = None) -> HostFacts:
    """Recorded facts (QEMU 7.2 unless others are named). With KVM, on a CPU that has everything."""
    host = host or Host()
    recorded = facts.load(host.facts or USUAL)
    qemu = recorded.qemu
    if host.accel == "kvm":
        qemu = msgspec.structs.replace(
            qemu,
            cpu_models=tuple(msgspec.structs.replace(model, missing=()) for model in qemu.cpu_models),
            cpu_features=dict.fromkeys(qemu.cpu_features, True),
        )
    return msgspec.structs.replace(
        recorded,
        qemu=qemu,
        accel=host.accel,
        accel_reason=host.accel_reason,
        host_model=host.host_model or recorded.host_model,
        sev=host.sev,
    )


def default_bindings(
    name: str,
    spec: VirtualMachineInstanceSpec,
    overrides: Overrides | None = None,
    annotations: dict[str, str] | None = None,
    known: HostFacts | None = None,
) -> Bindings:
    """Where things would lie on a host like any other."""
    given = overrides or Overrides()
    places = kept.Places(Path(STATE, "instances", name), Path(STATE, "vms", name))
    run = f"{RUNTIME}/vmi/{name[:8]}"
    macs = {nic.name: f"02:00:00:00:00:{index:02x}" for index, nic in enumerate(spec.domain.devices.interfaces, 1)}
    return Bindings(
        namespace="default",
        name=name,
        sockets=Sockets(
            qmp=f"{run}/qmp.sock",
            agent=f"{run}/agent.sock",
            serial=f"{run}/serial.sock",
            vnc=f"{run}/vnc.sock",
            serial_log=f"{STATE}/instances/{name}/serial.log",
            usbredir=tuple(f"{run}/usbredir{number}.sock" for number in range(4)),
            downward_metrics=f"{run}/metrics.sock",
            tpm=f"{run}/tpm.sock",
            reservations="/run/qemu-pr-helper.sock",
        ),
        pins=given.pins or Pins(macs=macs),
        volumes={volume.name: volume_binding(name, volume) for volume in spec.volumes} | given.volumes,
        networks=network.resolve(spec, name, f"default/{name}", directory=run) | given.networks,
        kernel=given.kernel,
        annotations=annotations or {},
        cpus=given.cpus,
        rtc_base=rtc.base(spec.domain.clock, NOW),
        hugetlbfs=given.hugetlbfs,
        launch_security=given.launch_security,
        host_devices=given.host_devices,
        vsock_cid=given.vsock_cid,
        firmware=given.firmware or _firmware(spec, known or host_facts(), places),
        acpi_tables=given.acpi_tables or acpi.plan(spec, places),
        filesystems=_filesystems(spec, places, Path(run)) | given.filesystems,
    )


def _firmware(spec: VirtualMachineInstanceSpec, known: HostFacts, places: kept.Places) -> FirmwareBinding | None:
    try:
        return firmware.plan(spec, known, places)
    except HostError:
        return None  # compiling it tells


def _filesystems(spec: VirtualMachineInstanceSpec, places: kept.Places, run: Path) -> dict[str, FilesystemBinding]:
    try:
        return filesystems.plan(spec, "default", Claims(Path(STATE, "volumes")), places, run)
    except SolovirtError:
        return {}


def volume_binding(instance: str, volume: Volume) -> VolumeBinding:
    source = volume.sources()[0]
    own = f"{STATE}/instances/{instance}/{volume.name}"
    match source:
        case "containerDisk":
            base = DiskImage(f"{STATE}/images/{volume.name}.img", "qcow2", read_only=True, direct_io=True)
            image = DiskImage(f"{own}.qcow2", "qcow2", direct_io=True, backing=base)
        case "ephemeral":
            base = DiskImage(f"{STATE}/volumes/{volume.name}/disk.img", "raw", read_only=True, direct_io=True)
            image = DiskImage(f"{own}.qcow2", "qcow2", direct_io=True, backing=base)
        case "downwardMetrics":
            image = DiskImage(f"{own}.vhostmd", "raw", direct_io=True)
        case "emptyDisk":
            image = DiskImage(f"{own}.qcow2", "qcow2", direct_io=True)
        case "persistentVolumeClaim" | "dataVolume" | "hostDisk":
            image = DiskImage(f"{STATE}/volumes/{volume.name}/disk.img", "raw", direct_io=True)
        case _:
            image = DiskImage(f"{own}.iso", "raw", read_only=True, direct_io=True)
    return VolumeBinding(volume.name, source, image)


def _read(path: Path, kind: type[T]) -> T | None:
    return msgspec.json.decode(path.read_bytes(), type=kind) if path.exists() else None


def files(name: str) -> dict[str, str]:
    """The golden files of a case, by their names."""
    usual, *others = (load(name, known) for known in facts_of(name))
    made = {"argv.txt": usual.argv_text(), "reasons.txt": usual.reasons_text()}
    for known, case in zip(facts_of(name)[1:], others, strict=True):
        made[f"argv.{known}.txt"] = case.argv_text()
        if _reasons(case) != _reasons(usual):
            made[f"reasons.{known}.txt"] = case.reasons_text()
    return made


def _reasons(case: Case) -> str:
    """Without the version of the machine type, which differs everywhere."""
    return case.reasons_text().replace(case.machine().pins.machine, "q35").replace(" ", "")


def update(only: list[str]) -> None:
    for name in only or names():
        made = files(name)
        for path in (HERE / name).glob("*.txt"):
            if path.name not in made:
                path.unlink()
        for file, text in made.items():
            (HERE / name / file).write_text(text)


if __name__ == "__main__":
    update(sys.argv[1:])
