"""What this host is: its QEMU, whether KVM works, CPUs, memory, name. Probed once, kept on disk, frozen.

Also reads recorded facts of other hosts, so that a command line can be compiled without QEMU. Knows nothing of VMs.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from solovirt.host import encryption, firmware_probe, helpers_probe, kvm, numa, packages
from solovirt.host.cache import Cache, file_key
from solovirt.host.labels import node_labels
from solovirt.host.model.facts import SEV, HostFacts, QemuFacts
from solovirt.kit.errors import HostError
from solovirt.kit.json import JsonObject
from solovirt.kit.offload import to_thread
from solovirt.kit.paths import Paths

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PROBE_VERSION = 2
"""Part of the cache key: raise it when ``qemu_probe`` asks for more."""

_BINARY = "qemu-system-x86_64"
_ELSEWHERE = (Path("/usr/libexec/qemu-kvm"), Path("/usr/bin/qemu-kvm"))
"""Where Red Hat's family keeps it."""


async def probe(paths: Paths, *, environ: Mapping[str, str] = os.environ) -> HostFacts:
    """The facts of this host.

    ``SOLOVIRT_QEMU`` names the QEMU binary, ``SOLOVIRT_ACCEL`` the accelerator, ``SOLOVIRT_NODE_LABELS``
    the node's labels beside its own. Raises ``HostError``: reason
    ``MissingTool`` (no QEMU), ``QEMUTooOld``, ``QEMUFailed``, ``InvalidEnvironment``.
    """
    known = await to_thread(cached, paths, environ=environ)
    if known is not None:
        return known
    binary = find_qemu(environ)
    verdict = await kvm.verdict(paths.facts, binary, environ=environ)
    qemu = await _qemu(paths.facts, binary, verdict.accel)
    sev = await encryption.sev(verdict.accel, partial(_sev, binary))
    return await to_thread(_host, qemu, verdict, environ, sev)


def cached(paths: Paths, *, environ: Mapping[str, str] = os.environ) -> HostFacts | None:
    """The same, as far as no program has to be run for it: None when something must be probed. Raises ``HostError``."""
    binary = find_qemu(environ)
    verdict = kvm.known(paths.facts, binary, environ=environ)
    if verdict is None or encryption.must_ask(verdict.accel):
        return None
    cache, key = _cache(paths.facts, binary, verdict.accel)
    qemu = cache.get(key)
    return _host(qemu, verdict, environ, None) if qemu is not None else None


def _host(qemu: QemuFacts, verdict: kvm.Verdict, environ: Mapping[str, str], sev: SEV | None) -> HostFacts:
    name = node_name(socket.gethostname())
    return HostFacts(
        qemu=qemu,
        accel=verdict.accel,
        accel_reason=verdict.reason,
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        node_name=name,
        firmware=firmware_probe.probe(firmware_probe.directories(environ, os.geteuid())),
        helpers=helpers_probe.probe(environ),
        nodes=numa.nodes(),
        labels=node_labels(qemu, verdict.accel, name, environ=environ),
        sev=sev,
        tdx=encryption.tdx(verdict.accel),
    )


async def _sev(binary: Path) -> JsonObject:
    from solovirt.host import qemu_probe

    return await qemu_probe.sev(binary)


def find_qemu(environ: Mapping[str, str] = os.environ) -> Path:
    """The QEMU binary. Raises ``HostError`` (reason ``MissingTool``) with the package to install."""
    named = environ.get("SOLOVIRT_QEMU", "")
    if named:
        chosen = Path(named) if os.sep in named else packages.find(named, environ=environ)
        if chosen is None or not os.access(chosen, os.X_OK) or not chosen.is_file():
            raise HostError(
                f'SOLOVIRT_QEMU is "{named}", which is not a program',
                reason="MissingTool",
                hint="set it to the path of qemu-system-x86_64, or unset it",
            )
        return chosen.absolute()
    found = packages.find(_BINARY, environ=environ)
    candidates = [found] if found else [path for path in _ELSEWHERE if os.access(path, os.X_OK)]
    return candidates[0] if candidates else packages.require(_BINARY, needed_for="running guests", environ=environ)


def _cache(folder: Path, binary: Path, accel: str) -> tuple[Cache[QemuFacts], JsonObject]:
    """Where a QEMU's facts are kept, and the key under which they hold."""
    name = hashlib.sha256(f"{binary}\0{accel}".encode()).hexdigest()[:16]
    key: JsonObject = {"probe": PROBE_VERSION, "accel": accel, "binary": file_key(binary)}
    return Cache(folder / f"qemu-{name}.json", QemuFacts), key


async def _qemu(folder: Path, binary: Path, accel: str) -> QemuFacts:
    cache, key = await to_thread(_cache, folder, binary, accel)
    known = await to_thread(cache.get, key)
    if known is not None:
        return known
    from solovirt.host import qemu_probe

    asked = await qemu_probe.ask(binary, accel)
    await to_thread(cache.put, key, asked)
    return asked


def node_name(hostname: str) -> str:
    """The host's name as a DNS label: what ``status.nodeName`` says."""
    first = hostname.partition(".")[0].lower()
    label = re.sub(r"[^a-z0-9-]+", "-", first)[:63].strip("-")
    return label or "localhost"


def _shipped() -> Traversable:
    from importlib import resources

    return resources.files("solovirt.host") / "recorded"


def recorded() -> list[str]:
    """Names of the facts that ship with solovirt."""
    folder = _shipped()
    return sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))


def load(name_or_path: str) -> HostFacts:
    """Recorded facts: one of ``recorded()``, or a JSON file. Raises ``HostError`` (reason ``InvalidFacts``)."""
    try:
        if name_or_path in recorded():
            data = (_shipped() / f"{name_or_path}.json").read_bytes()
            return _labelled(msgspec.json.decode(data, type=HostFacts))
        return msgspec.json.decode(Path(name_or_path).read_bytes(), type=HostFacts)
    except FileNotFoundError:
        known = ", ".join(recorded())
        raise HostError(
            f'no recorded facts "{name_or_path}"', reason="InvalidFacts", hint=f"give a file, or one of: {known}"
        ) from None
    except OSError as error:
        raise HostError(f"{name_or_path} cannot be read: {error.strerror}", reason="InvalidFacts") from error
    except msgspec.DecodeError as error:
        raise HostError(f"{name_or_path} does not hold facts of a host: {error}", reason="InvalidFacts") from error


def _labelled(host: HostFacts) -> HostFacts:
    """With the labels that follow from the other facts, which the files leave out; those in the file win."""
    labels = node_labels(host.qemu, host.accel, host.node_name, environ={}) | host.labels
    return msgspec.structs.replace(host, labels=labels)


def dump(facts: HostFacts) -> str:
    """``facts`` as text that ``load`` takes: sorted, so that two hosts can be compared with diff."""
    plain = msgspec.to_builtins(facts, str_keys=True)
    return msgspec.json.format(msgspec.json.encode(plain, order="deterministic"), indent=1).decode() + "\n"
