"""Golden cases: a manifest, what the host resolved its names to, and the command line that must come out.

Each folder here has ``vm.yaml``; ``bindings.json`` where the bindings that ``default_bindings`` makes up do not do;
``host.json`` with the facts and the accelerator when they are not qemu-7.2 and tcg; and the two golden files:
``argv.txt`` (one option a line, not quoted) and ``reasons.txt`` (the table of ``explain``). ``tests/golden/update``
rewrites them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from solovirt.api.decode import decode
from solovirt.api.kubevirt.defaults import default_vmi
from solovirt.api.kubevirt.spec.firmware import Firmware
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.registry import VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES
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

    facts: str = "qemu-7.2"
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


def load(name: str) -> Case:
    folder = HERE / name
    document = yaml.load_all((folder / "vm.yaml").read_bytes(), source="vm.yaml")[0]
    kind = document.value["kind"] if isinstance(document.value, dict) else ""
    if kind == "VirtualMachine":
        template = decode(VIRTUAL_MACHINES, document.value, lines=document.lines).object.spec.template
        vmi = VirtualMachineInstance(metadata=template.metadata, spec=template.spec)
        prefix = "spec.template.spec"
    else:
        vmi, prefix = decode(VIRTUAL_MACHINE_INSTANCES, document.value, lines=document.lines).object, "spec"
    identified = vmi.spec.domain.firmware = vmi.spec.domain.firmware or Firmware()
    identified.uuid = identified.uuid or UUID
    default_vmi(vmi)
    known = host_facts(_read(folder / "host.json", Host))
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
    recorded = facts.load(host.facts)
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


def update(only: list[str]) -> None:
    for name in only or names():
        case = load(name)
        (HERE / name / "argv.txt").write_text(case.argv_text())
        (HERE / name / "reasons.txt").write_text(case.reasons_text())


if __name__ == "__main__":
    update(sys.argv[1:])
