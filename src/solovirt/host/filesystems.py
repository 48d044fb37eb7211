"""Directories that guests mount through virtiofs (``devices.filesystems``).

ConfigMaps, Secrets, downward API and service account: their files, written for this start, read-only. Claims: a
directory beside the claim's disk, which stays as long as the claim. What a root daemon shares belongs to the user ids
of shares (``access.SHARES``), never to anybody of this host, and lies below a directory that nobody else can enter.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.validation.filesystems import NO_POD, SOURCES
from solovirt.host import access
from solovirt.host.images import files
from solovirt.host.kept import Places
from solovirt.host.model.bindings import FilesystemBinding
from solovirt.host.volumes.claims import Claims
from solovirt.kit.errors import HostError, Invalid

PATH = "domain.devices.filesystems"
_CLOSED = 0o700
_OPEN, _FILE = 0o755, 0o444

Content = Callable[[Volume, str], Mapping[str, bytes]]
"""The files of a volume, by their relative paths; the second argument is the volume's field path."""


def plan(
    spec: VirtualMachineInstanceSpec, namespace: str, claims: Claims, places: Places, sockets: Path
) -> dict[str, FilesystemBinding]:
    """A binding for each filesystem, by name, without looking at anything. ``sockets`` is the VM's runtime directory.

    Raises ``Invalid`` or ``HostError`` for a volume that cannot be shared.
    """
    volumes = {volume.name: (index, volume) for index, volume in enumerate(spec.volumes)}
    found: dict[str, FilesystemBinding] = {}
    for index, filesystem in enumerate(spec.domain.devices.filesystems):
        field = f"{PATH}[{index}].name"
        if filesystem.name not in volumes:
            raise Invalid(f"{field}: '{filesystem.name}' not found.", field=field)
        directory, read_only, note = _directory(volumes[filesystem.name][1], namespace, claims, places, field)
        found[filesystem.name] = FilesystemBinding(
            name=filesystem.name,
            directory=str(directory),
            socket=str(sockets / f"fs{index}.sock"),
            read_only=read_only,
            note=note,
        )
    return found


def prepare(
    spec: VirtualMachineInstanceSpec,
    namespace: str,
    claims: Claims,
    places: Places,
    sockets: Path,
    content: Content,
    *,
    prefix: str = "spec",
    only: str = "",
) -> dict[str, FilesystemBinding]:
    """The same, with the directories made and filled: all, or the one of a name, while guests are at the others.
    Blocks. Raises what ``content`` raises, too."""
    bound = plan(spec, namespace, claims, places, sockets)
    for index, volume in enumerate(spec.volumes):
        binding = bound.get(volume.name)
        if binding is None or only not in ("", volume.name):
            continue
        directory = Path(binding.directory)
        with files.telling(directory.parent, f"filesystem {volume.name}"):
            if _claim(volume):
                _make_shared(directory)
            else:
                _write(directory, content(volume, f"{prefix}.volumes[{index}]"))
    return bound


def discard(places: Places, name: str) -> None:
    """The files that were written for one filesystem, which no guest has any more. What claims hold stays. Blocks."""
    directory = places.instance / "shared" / name
    if directory.is_dir() and not directory.is_symlink():
        shutil.rmtree(directory)


def _directory(volume: Volume, namespace: str, claims: Claims, places: Places, field: str) -> tuple[Path, bool, str]:
    claim = _claim(volume)
    if claim:
        source = volume.persistent_volume_claim
        directory = claims.disk(namespace, claim).parent / "shared" / "files"
        return directory, source is not None and bool(source.read_only), f"claim {claim}"
    sources = volume.sources()
    if "containerPath" in sources:
        raise HostError(NO_POD, reason="NotSupported", field=field)
    if len(sources) != 1 or sources[0] not in SOURCES:
        raise Invalid(f"{field}: volume '{volume.name}' cannot be shared as a filesystem", field=field)
    return places.instance / "shared" / volume.name, True, f"files of the {sources[0]}, written for this start"


def _claim(volume: Volume) -> str:
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return volume.data_volume.name if volume.data_volume is not None else ""


def _make_shared(directory: Path) -> None:
    """Once: whatever the guests did to it afterwards stays. A crash in between leaves an empty directory of ours."""
    files.make_directory(directory.parent, _CLOSED)
    directory.parent.chmod(_CLOSED)
    files.make_directory(directory, _OPEN)
    found = os.lstat(directory)
    if access.is_root() and found.st_uid == os.geteuid():
        os.chown(directory, access.SHARES, access.SHARES, follow_symlinks=False)


def _write(directory: Path, content: Mapping[str, bytes]) -> None:
    """Anew each time: an earlier attempt may have been cut short."""
    files.make_directory(directory.parent, _CLOSED)
    directory.parent.chmod(_CLOSED)
    if directory.is_dir() and not directory.is_symlink():
        shutil.rmtree(directory)
    directory.mkdir(_OPEN)
    for name, data in content.items():
        target = directory / name
        if not _stays_inside(name):
            raise Invalid(f"{name[:80]!r} is no name of a file below a volume")
        target.parent.mkdir(_OPEN, parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(_FILE)
    _own(directory)


def _stays_inside(name: str) -> bool:
    return bool(name) and not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))


def _own(directory: Path) -> None:
    for folder, _, names in os.walk(directory):
        os.chmod(folder, _OPEN)
        if access.is_root():
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                os.chown(path, access.SHARES, access.SHARES, follow_symlinks=False)
