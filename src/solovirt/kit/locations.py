"""Where solovirt keeps things: XDG directories for a user, /var/lib and /run for root.

Plain strings, no imports to speak of: the CLI's hot path uses it.

``SOLOVIRT_STATE_DIR`` and ``SOLOVIRT_RUNTIME_DIR`` override both (tests, several daemons on one host).
Source: XDG Base Directory Specification (a relative path in its variables is to be ignored); FHS 3.0 for root.
"""

from __future__ import annotations

from collections.abc import Mapping

from solovirt.kit.errors import HostError


def state_dir(environ: Mapping[str, str], euid: int) -> str:
    """Raises ``HostError`` when what the environment names is not absolute."""
    if override := _absolute(environ, "SOLOVIRT_STATE_DIR"):
        return override
    if euid == 0:
        return "/var/lib/solovirt"
    base = environ.get("XDG_STATE_HOME", "")
    return (base if base.startswith("/") else environ.get("HOME", "/nonexistent") + "/.local/state") + "/solovirt"


def runtime_dir(environ: Mapping[str, str], euid: int) -> str:
    """Raises ``HostError`` when what the environment names is not absolute."""
    if override := _absolute(environ, "SOLOVIRT_RUNTIME_DIR"):
        return override
    if euid == 0:
        return "/run/solovirt"
    base = environ.get("XDG_RUNTIME_DIR", "")
    return base + "/solovirt" if base.startswith("/") else f"/tmp/solovirt-{euid}"


def _absolute(environ: Mapping[str, str], name: str) -> str:
    """A relative path would be another directory for the daemon than for the command that starts it."""
    path = environ.get(name, "")
    if path and not path.startswith("/"):
        raise HostError(f"{name} is {path!r}: it must be an absolute path", reason="DirectoryUnusable")
    return path


def socket_path(environ: Mapping[str, str], euid: int) -> str:
    """The API socket that ``kit.paths.Paths.socket`` names."""
    return runtime_dir(environ, euid) + "/solovirt.sock"
