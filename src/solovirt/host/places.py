"""Where a machine's sockets and logs are. Names only; nothing is made or opened."""

from __future__ import annotations

from solovirt.host.model.bindings import Sockets
from solovirt.host.volumes import reservations
from solovirt.kit.paths import Paths

SERIAL_LOG = "serial.log"
TPM_SOCKET = "tpm.sock"
USB_REDIRECTIONS = 4
"""As many as clientPassthrough has in KubeVirt."""


def sockets_of(paths: Paths, uid: str) -> Sockets:
    """``uid`` is the VMI's; in a plan for one that does not exist yet, its name."""
    runtime, state = paths.sockets(uid), paths.instance(uid)
    return Sockets(
        qmp=str(runtime / "qmp.sock"),
        agent=str(runtime / "agent.sock"),
        serial=str(runtime / "serial.sock"),
        vnc=str(runtime / "vnc.sock"),
        usbredir=tuple(str(runtime / f"usbredir{number}.sock") for number in range(USB_REDIRECTIONS)),
        downward_metrics=str(runtime / "metrics.sock"),
        serial_log=str(state / SERIAL_LOG),
        tpm=str(runtime / TPM_SOCKET),
        reservations=str(reservations.SOCKET),
    )
