"""Where the helper programs of QEMU are on this host. Knows nothing of what they do. Blocks, for a few stat calls."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from solovirt.host import packages
from solovirt.kit import json
from solovirt.kit.json import get_str

SWTPM, VIRTIOFSD, PR_HELPER = "swtpm", "virtiofsd", "qemu-pr-helper"
DESCRIPTORS = (Path("/etc/qemu/vhost-user"), Path("/usr/share/qemu/vhost-user"))
"""Source: QEMU docs/interop/vhost-user.json."""
_VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd")
_PR_HELPER = ("/usr/bin/qemu-pr-helper", "/usr/libexec/qemu-pr-helper")
_LARGEST = 64 * 1024

log = logging.getLogger(__name__)


def probe(environ: Mapping[str, str], *, descriptors: Sequence[Path] = DESCRIPTORS) -> dict[str, str]:
    """Program name -> path, of those that are installed."""
    found = {
        SWTPM: _searched(SWTPM, (), environ),
        VIRTIOFSD: _described(descriptors) or _searched(VIRTIOFSD, _VIRTIOFSD, environ),
        PR_HELPER: _searched(PR_HELPER, _PR_HELPER, environ),
    }
    return {name: path for name, path in sorted(found.items()) if path}


def _described(folders: Sequence[Path]) -> str:
    """The virtiofsd that the first descriptor of type "fs" names."""
    chosen: dict[str, Path] = {}
    for folder in folders:
        try:
            for path in folder.glob("*.json"):
                chosen.setdefault(path.name, path)
        except OSError:
            continue
    for _, path in sorted(chosen.items()):
        binary = _binary(path)
        if binary and os.access(binary, os.X_OK):
            return binary
    return ""


def _binary(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"larger than {_LARGEST} bytes")
        data = path.read_bytes()
        described = json.decode_object(data) if data.strip() else {}
    except (OSError, ValueError) as error:
        log.warning("the helper descriptor %s is left out: %s", path, error)
        return ""
    return get_str(described, "binary") if get_str(described, "type") == "fs" else ""


def _searched(name: str, places: Sequence[str], environ: Mapping[str, str]) -> str:
    found = packages.find(name, environ=environ)
    if found is not None:
        return str(found)
    return next((place for place in places if os.access(place, os.X_OK)), "")
