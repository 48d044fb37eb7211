"""Where solovirt keeps things: XDG directories for a user, /var/lib and /run for root.

Plain strings, no imports to speak of: the CLI's hot path uses it.

``SOLOVIRT_STATE_DIR`` and ``SOLOVIRT_RUNTIME_DIR`` override both (tests, several daemons on one host).
Source: XDG Base Directory Specification; FHS 3.0 for root.
"""

from __future__ import annotations

from collections.abc import Mapping


def state_dir(environ: Mapping[str, str], euid: int) -> str:
    if override := environ.get("SOLOVIRT_STATE_DIR"):
        return override
    if euid == 0:
        return "/var/lib/solovirt"
    base = environ.get("XDG_STATE_HOME") or environ.get("HOME", "/nonexistent") + "/.local/state"
    return base + "/solovirt"


def runtime_dir(environ: Mapping[str, str], euid: int) -> str:
    if override := environ.get("SOLOVIRT_RUNTIME_DIR"):
        return override
    if euid == 0:
        return "/run/solovirt"
    base = environ.get("XDG_RUNTIME_DIR")
    return base + "/solovirt" if base else f"/tmp/solovirt-{euid}"


def socket_path(environ: Mapping[str, str], euid: int) -> str:
    """The API socket that ``kit.paths.Paths.socket`` names."""
    return runtime_dir(environ, euid) + "/solovirt.sock"
