"""ACPI tables out of secrets (``firmware.acpi``), as files that only the machine's user can read.

Source of the file names: kubevirt converter/compute/os.go (slic.bin, msdm.bin). The content never goes anywhere else.
"""

from __future__ import annotations

from pathlib import Path

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.host.images import files
from solovirt.host.kept import Places, give, make
from solovirt.host.model.bindings import ACPITablesBinding
from solovirt.host.volumes.cloudinit import Contents
from solovirt.kit.errors import HostError, Invalid, NotFound

PATH = "domain.firmware.acpi"
_HEADER = 36
_LARGEST = 65_000
"""QEMU keeps the length of a table in 16 bits (hw/acpi/core.c)."""


def plan(spec: VirtualMachineInstanceSpec, places: Places) -> ACPITablesBinding | None:
    """Where the files would be; None without tables."""
    wanted = _wanted(spec)
    if not wanted:
        return None
    paths = {signature: str(_file(places, signature)) for signature, _, _ in wanted}
    return ACPITablesBinding(slic=paths.get("SLIC", ""), msdm=paths.get("MSDM", ""))


def prepare(
    spec: VirtualMachineInstanceSpec, namespace: str, lookup: Contents, places: Places, *, prefix: str = "spec"
) -> ACPITablesBinding | None:
    """Writes the files. Raises ``NotFound`` (no such secret or key), ``Invalid`` (no such volume), ``HostError``.

    Blocks.
    """
    wanted = _wanted(spec)
    if wanted:
        make(places.instance, places.run_as)
    for signature, volume, field in wanted:
        data = _content(spec, namespace, lookup, signature, volume, f"{prefix}.{field}")
        with files.telling(places.instance, f"ACPI table {signature}"):
            files.write_atomic(_file(places, signature), data, durable=False)
    if wanted:
        give(places.instance, places.run_as)
    return plan(spec, places)


def _wanted(spec: VirtualMachineInstanceSpec) -> list[tuple[str, str, str]]:
    """(signature, volume, field) of each table."""
    firmware = spec.domain.firmware
    tables = firmware.acpi if firmware is not None else None
    if tables is None:
        return []
    named = (("SLIC", tables.slic_name_ref, "slicNameRef"), ("MSDM", tables.msdm_name_ref, "msdmNameRef"))
    return [(signature, volume, f"{PATH}.{field}") for signature, volume, field in named if volume]


def _file(places: Places, signature: str) -> Path:
    return places.instance / f"{signature.lower()}.bin"


def _content(
    spec: VirtualMachineInstanceSpec, namespace: str, lookup: Contents, signature: str, volume: str, field: str
) -> bytes:
    source = next((one.secret for one in spec.volumes if one.name == volume), None)
    if source is None:
        raise Invalid(f"{field}: there is no secret volume of this name", field=field)
    secret = lookup.secret(namespace, source.secret_name)
    if secret is None:
        raise NotFound(f'secret "{source.secret_name}" not found', field=field)
    key = f"{signature.lower()}.bin"
    if key not in secret and len(secret) != 1:
        raise NotFound(f'secret "{source.secret_name}" has no key {key}', field=field)
    data = secret.get(key) or next(iter(secret.values()))
    if not _HEADER <= len(data) <= _LARGEST:
        raise HostError(
            f'secret "{source.secret_name}" holds no ACPI table: {len(data)} bytes',
            reason="InvalidACPITable",
            field=field,
            hint=f"a whole table with its header has {_HEADER} to {_LARGEST} bytes",
        )
    return data
