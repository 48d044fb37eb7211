from __future__ import annotations

from pathlib import Path

from solovirt.host.model.bindings import Sockets
from solovirt.hypervisor.model import Identity, Launch, RunState


def test_a_launch_knows_how_to_find_its_qemu_again() -> None:
    sockets = Sockets(qmp="/r/q", agent="/r/a", serial="/r/s", vnc="/r/v", serial_log="/i/log")
    launch = Launch("uid", "uuid", ("qemu",), Path("/i"), sockets, run_as=(1, 2), paused=True, groups=(3,))
    assert launch.identity == Identity("uid", "uuid", Path("/i"), sockets, (1, 2), True)


def test_run_states_of_newer_qemus() -> None:
    assert RunState.parse("running") is RunState.RUNNING
    assert RunState.parse("dreaming") is RunState.UNKNOWN
