"""Where the TPM of a machine keeps its state. Knows nothing of swtpm's options. ``prepare`` blocks."""

from __future__ import annotations

from pathlib import Path

from solovirt.api.kubevirt.spec.devices import TPM
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host.kept import Places, make, make_own

DIRECTORY = "tpm"


def wanted(spec: VirtualMachineInstanceSpec) -> TPM | None:
    """The TPM that the spec asks for, unless it is switched off."""
    tpm = spec.domain.devices.tpm
    return tpm if tpm is not None and tpm.enabled is not False else None


def prepare(spec: VirtualMachineInstanceSpec, places: Places) -> Path | None:
    """The state's directory, which belongs to the machine's user; None without a TPM. Raises ``HostError``."""
    tpm = wanted(spec)
    if tpm is None:
        return None
    directory = places.directory(persistent=bool(tpm.persistent))
    make(directory, places.run_as)
    make_own(directory / DIRECTORY, places.run_as)
    return directory / DIRECTORY
