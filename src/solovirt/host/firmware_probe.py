"""The UEFI firmware of this host, from QEMU's firmware descriptors, in the order in which it is to be preferred.

Source: QEMU docs/interop/firmware.json: the files of several directories are taken in the order of their names; one of
a directory with a higher priority hides one of the same name in the others, and an empty one hides it altogether.
Reading them costs less than asking a cache whether they changed. Knows nothing of VMs. Blocks.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from solovirt.host.model.facts import Firmware
from solovirt.kit import json
from solovirt.kit.json import JsonObject, get_list, get_object, get_str

SYSTEM = (Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))
ARCHITECTURE = "x86_64"
_LARGEST = 64 * 1024
_FORMATS = ("raw", "qcow2")

log = logging.getLogger(__name__)


def directories(environ: Mapping[str, str], euid: int) -> list[Path]:
    """Where descriptors may lie, the highest priority first. Root's home is not asked: QEMU does not run as root."""
    if euid == 0:
        return list(SYSTEM)
    home = environ.get("XDG_CONFIG_HOME", "") or os.path.join(environ.get("HOME", ""), ".config")
    return [Path(home) / "qemu/firmware", *SYSTEM] if os.path.isabs(home) else list(SYSTEM)


def probe(folders: Sequence[Path]) -> tuple[Firmware, ...]:
    """Every usable UEFI firmware for x86-64. A descriptor that is damaged, or whose files are missing, is left out."""
    chosen: dict[str, Path] = {}
    for folder in folders:
        for path in _listed(folder):
            chosen.setdefault(path.name, path)
    return tuple(firmware for _, path in sorted(chosen.items()) if (firmware := _read(path)) is not None)


def describe(descriptor: JsonObject) -> Firmware | None:
    """One descriptor as a value; None for firmware that is not UEFI, not for x86-64 or not mapped as flash or ROM."""
    if "uefi" not in get_list(descriptor, "interface-types"):
        return None
    machines = tuple(
        pattern
        for target in get_list(descriptor, "targets")
        if isinstance(target, dict) and get_str(target, "architecture") == ARCHITECTURE
        for pattern in get_list(target, "machines")
        if isinstance(pattern, str)
    )
    mapping = get_object(descriptor, "mapping")
    features = frozenset(name for name in get_list(descriptor, "features") if isinstance(name, str))
    if not machines:
        return None
    if get_str(mapping, "device") == "memory":
        image = get_str(mapping, "filename")
        return Firmware(code=image, rom=True, machines=machines, features=features) if image else None
    if get_str(mapping, "device") != "flash" or get_str(mapping, "mode") not in ("", "split"):
        return None
    code, template = get_object(mapping, "executable"), get_object(mapping, "nvram-template")
    formats = get_str(code, "format"), get_str(template, "format")
    if not get_str(code, "filename") or not get_str(template, "filename") or not set(formats) <= set(_FORMATS):
        return None
    return Firmware(
        code=get_str(code, "filename"),
        code_format=formats[0],
        variables=get_str(template, "filename"),
        variables_format=formats[1],
        machines=machines,
        features=features,
    )


def _listed(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == ".json"]
    except OSError:
        return []


def _read(path: Path) -> Firmware | None:
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"larger than {_LARGEST} bytes")
        data = path.read_bytes()
        firmware = describe(json.decode_object(data)) if data.strip() else None
    except (OSError, ValueError) as error:
        log.warning("the firmware descriptor %s is left out: %s", path, error)
        return None
    if firmware is None:
        return None
    missing = [name for name in (firmware.code, firmware.variables) if name and not os.access(name, os.R_OK)]
    if missing:
        log.warning("the firmware descriptor %s is left out: %s cannot be read", path, ", ".join(missing))
        return None
    return firmware
