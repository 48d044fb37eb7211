"""The values that the hypervisor room takes and gives: what to launch, what to adopt, what happened.

It must not know objects, the store or how a command line is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from solovirt.host.model.bindings import Sockets


class RunState(StrEnum):
    """QEMU's ``RunState`` (qapi/run-state.json). ``UNKNOWN`` stands for one that a newer QEMU has and we do not."""

    DEBUG = "debug"
    INMIGRATE = "inmigrate"
    INTERNAL_ERROR = "internal-error"
    IO_ERROR = "io-error"
    PAUSED = "paused"
    POSTMIGRATE = "postmigrate"
    PRELAUNCH = "prelaunch"
    FINISH_MIGRATE = "finish-migrate"
    RESTORE_VM = "restore-vm"
    RUNNING = "running"
    SAVE_VM = "save-vm"
    SHUTDOWN = "shutdown"
    SUSPENDED = "suspended"
    WATCHDOG = "watchdog"
    GUEST_PANICKED = "guest-panicked"
    COLO = "colo"
    UNKNOWN = "unknown"

    @classmethod
    def parse(cls, text: str) -> RunState:
        try:
            return cls(text)
        except ValueError:
            return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class Pinning:
    """Host CPUs: one of each vCPU, by index; those of QEMU's other threads (empty: those of the vCPUs).

    ``realtime`` are the vCPUs that get SCHED_FIFO priority 1.
    """

    vcpus: tuple[int, ...]
    emulator: tuple[int, ...] = ()
    realtime: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """What is needed to find a running QEMU again and to be sure that it is the right one.

    ``uid`` names the instance (the VMI's uid), ``uuid`` is the machine's own (``-uuid``). ``directory`` holds
    ``qemu.lock`` and ``qemu.log``; ``sockets`` are where QEMU listens; ``run_as`` is the (uid, gid) that it runs as,
    None for ours. ``paused`` says how a launch that was cut short is to be finished, ``pinning`` where its threads run.
    """

    uid: str
    uuid: str
    directory: Path
    sockets: Sockets
    run_as: tuple[int, int] | None = None
    paused: bool = False
    pinning: Pinning | None = None
    links_down: tuple[str, ...] = ()
    """NICs (device ids) whose link is off before the guest's first instruction."""


@dataclass(frozen=True, slots=True)
class Helper:
    """A program beside QEMU (:mod:`solovirt.hypervisor.helpers`).

    ``name`` is that of its log and its lock, too. ``socket`` is where QEMU will connect; ``@fd@`` in ``argv`` becomes
    the number of the listening socket. ``confines_itself``: it starts as we are and gives up everything it does not
    need; otherwise it runs as the machine's user. ``package`` brings the program; ``hint`` is what may help when it
    does not start.
    """

    name: str
    argv: tuple[str, ...]
    socket: str
    confines_itself: bool = False
    package: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Launch:
    """One QEMU to start. ``argv[0]`` is the binary's path; argv must hold ``-uuid``, ``-S`` and ``-no-shutdown``.

    ``groups`` are supplementary groups for ``run_as`` (the group of /dev/kvm); ``timeout`` is the time in seconds that
    QEMU has to answer on QMP.
    """

    uid: str
    uuid: str
    argv: tuple[str, ...]
    directory: Path
    sockets: Sockets
    run_as: tuple[int, int] | None = None
    paused: bool = False
    groups: tuple[int, ...] = ()
    timeout: float = 60.0
    lock_memory: bool = False
    """It may keep as much memory from being swapped as it wants."""
    pinning: Pinning | None = None
    links_down: tuple[str, ...] = ()
    helpers: tuple[Helper, ...] = ()

    @property
    def identity(self) -> Identity:
        return Identity(
            self.uid,
            self.uuid,
            self.directory,
            self.sockets,
            self.run_as,
            self.paused,
            self.pinning,
            self.links_down,
        )


EventKind = Literal[
    "running",
    "paused",
    "suspended",
    "shutdown",
    "reset",
    "agent-connected",
    "agent-disconnected",
    "exited",
    "io-error",
    "panicked",
    "watchdog",
    "helper-exited",
    "unplugged",
]


@dataclass(frozen=True, slots=True)
class InstanceEvent:
    """Something that happened to an instance.

    - ``suspended``: the guest suspended itself to RAM (ACPI S3); ``running`` follows when it is woken up.
    - ``running``, ``paused``: QEMU's RESUME and STOP. ``paused`` is for a machine that stopped for another reason than
      its own shutdown; ``detail`` is the run state ("paused", "io-error", "guest-panicked", "watchdog").
    - ``shutdown``: the guest powered off (or was told to); ``detail`` is QEMU's ShutdownCause ("guest-shutdown",
      "host-qmp-quit", ...). With -no-shutdown the process is still there.
    - ``reset``: ``detail`` is the ShutdownCause ("guest-reset", "host-qmp-system-reset").
    - ``agent-connected``, ``agent-disconnected``: the guest opened or closed the agent's port.
    - ``io-error``: ``detail`` says device, operation and reason.
    - ``panicked``, ``watchdog`` (the guest did not feed it): ``detail`` is the action taken.
    - ``helper-exited``: a program beside QEMU ended, which goes on without it; ``detail`` is one sentence.
    - ``unplugged``: a device is gone, at our request or by the guest's own will; ``detail`` is its id.
    - ``exited``: the process is gone, always the last event. ``exit_code`` is its status, negative for a signal, None
      if QEMU was not our child (adopted); ``detail`` is one sentence.
    """

    uid: str
    kind: EventKind
    detail: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command run in the guest gave back. Exactly one of ``exit_code`` and ``signal`` is set."""

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    stdout_truncated: bool = False
    stderr_truncated: bool = False
