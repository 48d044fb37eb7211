"""The programs beside QEMU that a machine needs, as the hypervisor starts them: swtpm and virtiofsd."""

from __future__ import annotations

import sys
from pathlib import Path

from solovirt.host import access
from solovirt.host.equipment import Equipment
from solovirt.host.helpers_probe import SWTPM, VIRTIOFSD
from solovirt.host.model.bindings import FilesystemBinding
from solovirt.host.model.facts import HostFacts
from solovirt.host.packages import PACKAGES
from solovirt.hypervisor import confine
from solovirt.hypervisor.helpers import FD
from solovirt.hypervisor.model import Helper
from solovirt.kit.errors import HostError

_WITHOUT_ROOT = "without root it needs user namespaces, newuidmap (apt install uidmap) and a range in /etc/subuid"


def helpers(equipment: Equipment, facts: HostFacts, tpm_socket: str) -> tuple[Helper, ...]:
    """The programs to start before QEMU."""
    found = []
    if equipment.tpm_state is not None:
        found.append(_swtpm(facts.helpers[SWTPM], equipment.tpm_state, tpm_socket))
    found += [sharing(facts, shared) for shared in equipment.filesystems.values()]
    return tuple(found)


def sharing(facts: HostFacts, shared: FilesystemBinding) -> Helper:
    """What serves one shared directory. Raises ``HostError`` reason "MissingTool"."""
    program = facts.helpers.get(VIRTIOFSD)
    if program is None:
        text = f"{VIRTIOFSD}, needed for shared directories, is not installed"
        raise HostError(text, reason="MissingTool", hint=f"apt install {PACKAGES[VIRTIOFSD]}")
    return _virtiofsd(program, shared)


def sharing_name(filesystem: str) -> str:
    """The name of the helper that serves it."""
    return f"{VIRTIOFSD}-{filesystem}"


def _swtpm(program: str, state: Path, socket: str) -> Helper:
    """It ends when QEMU hangs up, and filters its own system calls. Source: swtpm(8)."""
    if "," in str(state):
        raise HostError(
            f"{state}: swtpm takes no comma in a path",
            reason="InvalidPath",
            hint="set SOLOVIRT_STATE_DIR to a directory without one",
        )
    argv = (
        program, "socket", "--tpm2", "--terminate",
        "--tpmstate", f"dir={state},mode=0600",
        "--ctrl", f"type=unixio,fd={FD}",
    )  # fmt: skip
    return Helper(name=SWTPM, argv=argv, socket=socket, package=PACKAGES[SWTPM])


def _virtiofsd(program: str, shared: FilesystemBinding) -> Helper:
    """In a namespace with nothing but its directory; there it confines itself further. Source: virtiofsd(1).

    The options in ``-o`` are those of QEMU's own virtiofsd; its successor takes them, too.
    """
    ids = ("--ids", f"{access.SHARES}:{access.SHARED_IDS}") if access.is_root() else ()
    argv = (
        sys.executable, "-I", "-S", str(Path(confine.__file__)),
        "--share", shared.directory, *(("--read-only",) if shared.read_only else ()), *ids, "--",
        program, f"--fd={FD}", "-o", f"source={confine.PLACEHOLDER}", "-o", "sandbox=namespace",
        "-o", "cache=auto", "--rlimit-nofile=0", "-f",
    )  # fmt: skip
    return Helper(
        name=sharing_name(shared.name),
        argv=argv,
        socket=shared.socket,
        confines_itself=True,
        package=PACKAGES[VIRTIOFSD],
        hint="" if access.is_root() else _WITHOUT_ROOT,
    )
