"""UEFI firmware for one machine: chosen among what this host has, with a file for its variables.

``plan`` is for explain and touches nothing; ``prepare`` makes the file. Source of the choice: kubevirt
pkg/virt-launcher/virtwrap/efi, QEMU docs/interop/firmware.json. Knows nothing of QEMU's command line.
"""

from __future__ import annotations

import os
import stat
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from solovirt.api.kubevirt.spec.firmware import EFI
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.validation.firmware import secure_boot
from solovirt.host.images import files
from solovirt.host.kept import Places, give, make
from solovirt.host.model.bindings import DiskImage, FirmwareBinding
from solovirt.host.model.facts import Firmware, HostFacts
from solovirt.kit.errors import HostError

NVRAM = "nvram.fd"
PATH = "domain.firmware.bootloader.efi"
_LARGEST = 64 << 20
_SMM, _SECURE, _KEYS = "requires-smm", "secure-boot", "enrolled-keys"


class _Wanted(msgspec.Struct, frozen=True):
    """Features that a firmware must have and must not have; ``rom``: without variables; ``text`` says it to people."""

    text: str
    must: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    rom: bool = False


def efi(spec: VirtualMachineInstanceSpec) -> EFI | None:
    firmware = spec.domain.firmware
    return firmware.bootloader.efi if firmware is not None and firmware.bootloader is not None else None


def candidates(spec: VirtualMachineInstanceSpec, facts: HostFacts, machine: str = "") -> list[Firmware]:
    """Every firmware of this host that will do, the best first. ``machine`` is the type pinned at the first start.

    Raises ``HostError`` reason "FirmwareMissing" when there is none.
    """
    wanted, name = _wanted(spec), _machine(spec, facts, machine)
    found = [
        firmware
        for firmware in facts.firmware
        if firmware.rom == wanted.rom
        and wanted.must <= firmware.features
        and not wanted.never & firmware.features
        and any(fnmatchcase(name, pattern) for pattern in firmware.machines)
    ]
    if not found:
        raise HostError(
            f"this host has no UEFI firmware {wanted.text} for {name}",
            reason="FirmwareMissing",
            field=PATH,
            hint="apt install ovmf" if not wanted.rom else "the host's OVMF has no build for it",
        )
    return found


def plan(
    spec: VirtualMachineInstanceSpec, facts: HostFacts, places: Places, *, machine: str = ""
) -> FirmwareBinding | None:
    """The binding that ``prepare`` would give, without looking at any file; None for SeaBIOS. Raises ``HostError``."""
    asked = efi(spec)
    if asked is None:
        return None
    return _binding(candidates(spec, facts, machine)[0], _nvram(asked, places), asked)


def prepare(
    spec: VirtualMachineInstanceSpec, facts: HostFacts, places: Places, *, machine: str = ""
) -> FirmwareBinding | None:
    """The same, with the variables' file in place. Variables that are kept decide which firmware fits them. Blocks.

    Raises ``HostError``: "FirmwareMissing", "FirmwareUnusable", "StorageFull".
    """
    asked = efi(spec)
    if asked is None:
        return None
    fitting = candidates(spec, facts, machine)
    if fitting[0].rom:
        return _binding(fitting[0], None, asked)
    path = _nvram(asked, places)
    make(path.parent, places.run_as)
    size = _size(path)
    chosen = fitting[0] if size is None else _for_size(fitting, size, path)
    if size is None:
        with files.telling(path.parent, "UEFI variables"):
            files.write_atomic(path, _template(chosen))
    give(path.parent, places.run_as)
    return _binding(chosen, path, asked)


def _wanted(spec: VirtualMachineInstanceSpec) -> _Wanted:
    firmware, launch, features = spec.domain.firmware, spec.domain.launch_security, spec.domain.features
    secure = secure_boot(firmware)
    if launch is not None and launch.tdx is not None:
        extra = frozenset({_SECURE} if secure else ())
        return _Wanted("for Intel TDX", must=frozenset({"intel-tdx"}) | extra, rom=True)
    if launch is not None and launch.snp is not None:
        return _Wanted("for AMD SEV-SNP", must=frozenset({"amd-sev-snp"}), rom=True)
    if launch is not None and launch.sev is not None:
        # Also for SEV-ES: not every descriptor of a build that knows it says "amd-sev-es".
        return _Wanted("for AMD SEV", must=frozenset({"amd-sev"}), never=frozenset({_SMM, _KEYS}))
    if secure:
        return _Wanted("with secure boot and enrolled keys", must=frozenset({_SECURE, _KEYS}))
    smm = features.smm if features is not None else None
    has_smm = smm is not None and smm.enabled is not False
    never = {_KEYS} if has_smm else {_KEYS, _SMM}
    return _Wanted("without enrolled keys" + ("" if has_smm else " and SMM"), never=frozenset(never))


def _machine(spec: VirtualMachineInstanceSpec, facts: HostFacts, pinned: str) -> str:
    """The concrete machine type, as far as it is known before compiling."""
    asked = (spec.domain.machine.type if spec.domain.machine else "") or "q35"
    if any(known.name == asked for known in facts.qemu.machines):
        return asked
    return pinned or next((known.name for known in facts.qemu.machines if known.alias == asked), asked)


def _nvram(asked: EFI, places: Places) -> Path:
    return places.directory(persistent=bool(asked.persistent)) / NVRAM


def _binding(firmware: Firmware, variables: Path | None, asked: EFI) -> FirmwareBinding:
    kept = "its variables are kept with the VM" if asked.persistent else "its variables go with the VMI"
    image = None
    if not firmware.rom and variables is not None:
        image = DiskImage(path=str(variables), format=firmware.variables_format)
    features = ", ".join(sorted(firmware.features & {_SECURE, _KEYS, _SMM})) or "no secure boot"
    return FirmwareBinding(
        code=DiskImage(path=firmware.code, format=firmware.code_format, read_only=True),
        variables=image,
        secure=_SMM in firmware.features and not firmware.rom,
        rom=firmware.rom,
        note=features if firmware.rom else f"{features}; {kept}",
    )


def _size(path: Path) -> int | None:
    """Of the variables that are there already; None if there are none. Never follows a link."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise HostError(f"{path} is not a regular file", reason="FirmwareUnusable", field=PATH)
    return found.st_size


def _for_size(fitting: list[Firmware], size: int, path: Path) -> Firmware:
    """Variables fit only the flash layout that they were made for; qcow2 files have any size."""
    for firmware in fitting:
        if firmware.variables_format != "raw" or _size_of(firmware.variables) == size:
            return firmware
    raise HostError(
        f"the UEFI variables in {path} have {size} bytes, which no UEFI firmware here fits",
        reason="FirmwareUnusable",
        field=PATH,
        hint="install the firmware that made them, or delete the file to begin with new ones",
    )


def _size_of(template: str) -> int:
    try:
        return os.stat(template).st_size
    except OSError:
        return -1


def _template(firmware: Firmware) -> bytes:
    try:
        with open(firmware.variables, "rb") as source:
            data = source.read(_LARGEST + 1)
    except OSError as error:
        raise HostError(
            f"{firmware.variables} cannot be read: {error.strerror}",
            reason="FirmwareUnusable",
            field=PATH,
            hint="apt install --reinstall ovmf",
        ) from error
    if not 0 < len(data) <= _LARGEST:
        raise HostError(f"{firmware.variables} is no template of UEFI variables", reason="FirmwareUnusable", field=PATH)
    return data
