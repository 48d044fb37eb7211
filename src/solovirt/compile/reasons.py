"""Short constructors of ``Reason``, one for each kind. Knows no QEMU option."""

from __future__ import annotations

from solovirt.compile.options import Reason


def manifest(path: str, text: str) -> Reason:
    """The field at ``path`` (below the VMI's spec) asked for it, or its default did."""
    return Reason("manifest", text, path)


def default(text: str, path: str = "") -> Reason:
    """KubeVirt's or solovirt's choice; ``path`` is the field that would change it."""
    return Reason("default", text, path)


def host(text: str, path: str = "") -> Reason:
    """A fact of this host, of its QEMU, or of where things lie on it."""
    return Reason("host", text, path)


def needs(text: str, path: str = "") -> Reason:
    """Another option needs it."""
    return Reason("dependency", text, path)
