"""Image references: ``[docker://][registry/]repository[:tag][@digest]`` with Docker's defaults, as KubeVirt has them.

Pure: knows neither registries nor the cache. Grammar: distribution/reference.
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from solovirt.kit.errors import HostError

DEFAULT_REGISTRY = "docker.io"
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_LENGTH = 512


class Reference(msgspec.Struct, frozen=True):
    """A parsed reference. ``text`` is what was given (without ``docker://``); ``key`` is the one normalised name."""

    text: str
    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """Registry and repository: ``docker.io/library/debian``."""
        return f"{self.registry}/{self.repository}"

    @property
    def key(self) -> str:
        """``docker.io/library/debian:latest``, ``quay.io/a/b@sha256:...`` (a digest makes the tag meaningless)."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    @property
    def default_policy(self) -> str:
        """Kubernetes' imagePullPolicy when none is given: Always for ``:latest`` and untagged, else IfNotPresent."""
        return "Always" if not self.digest and self.tag == "latest" else "IfNotPresent"

    @property
    def loopback(self) -> bool:
        """The registry is this host: it may be spoken to without TLS."""
        host = registry_host(self.registry)
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def registry_host(registry: str) -> str:
    """``[::1]:5000`` -> ``::1``, ``localhost:5000`` -> ``localhost``."""
    if registry.startswith("["):
        return registry[1:].partition("]")[0]
    return registry.partition(":")[0]


def _bad(text: str, field: str, why: str) -> HostError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return HostError(
        f"couldn't parse image name {shown!r}: invalid reference format: {why}", reason="InvalidImageName", field=field
    )


def parse(text: str, *, field: str = "") -> Reference:
    """Raises ``HostError`` with the kubelet's reason ``InvalidImageName``."""
    given = text.removeprefix("docker://")
    if not given or len(given) > _MAX_LENGTH:
        raise _bad(text, field, "it is empty" if not given else f"it is longer than {_MAX_LENGTH} characters")
    rest, at, digest = given.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _bad(text, field, "the digest must be sha256: and 64 lower-case hex digits")
    head, slash, tail = rest.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        registry, path = head, tail
    else:
        registry, path = DEFAULT_REGISTRY, rest
    repository, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _bad(text, field, f"bad tag {tag[:40]!r}")
    if not _REGISTRY.fullmatch(registry):
        raise _bad(text, field, f"bad registry {registry[:60]!r}")
    if not _REPOSITORY.fullmatch(repository):
        raise _bad(text, field, "a repository has lower-case letters, digits and . _ - between slashes")
    if registry in _DOCKER_HUB:
        registry = DEFAULT_REGISTRY
        repository = repository if "/" in repository else f"library/{repository}"
    return Reference(given, registry, repository, tag or ("" if digest else "latest"), digest)
