"""From QMP events to run state and instance events. Sans-I/O: it is fed events and asks nobody.

Source: qapi/run-state.json, qapi/block-core.json, qapi/char.json of QEMU 7.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from solovirt.hypervisor.model import EventKind, RunState
from solovirt.kit.json import Json, JsonObject, get_object, get_str
from solovirt.kit.text import printable


@dataclass(frozen=True, slots=True)
class Happening:
    kind: EventKind
    detail: str = ""


class StateTracker:
    """Follows one machine. ``state`` is the run state as far as events tell; ``set`` corrects it from query-status.

    QEMU sends the cause first and STOP after it: BLOCK_IO_ERROR (action stop), GUEST_PANICKED (action pause), WATCHDOG
    (action pause), SHUTDOWN (with -no-shutdown). The cause is kept until STOP arrives.
    """

    def __init__(self) -> None:
        self.state = RunState.UNKNOWN
        self._cause: RunState | None = None

    def set(self, state: RunState) -> None:
        self.state = state

    def expect(self, cause: RunState | None) -> None:
        """Why the next STOP will come, when no event tells it."""
        self._cause = cause

    def apply(self, name: str, data: JsonObject) -> Happening | None:
        """Take in one event; what it means to those who watch the instance, None if nothing."""
        match name:
            case "RESUME" | "WAKEUP":
                self.state, self._cause = RunState.RUNNING, None
            case "SUSPEND":
                self.state = RunState.SUSPENDED
            case "STOP":
                self.state, self._cause = self._cause or RunState.PAUSED, None
            case "RESET" if self.state in _STANDING:
                self.state = RunState.PRELAUNCH
            case _ if name in _CAUSES and get_str(data, "action", "pause") in ("pause", "stop"):
                self._cause = _CAUSES[name]
        return self._happening(name, data)

    def _happening(self, name: str, data: JsonObject) -> Happening | None:
        match name:
            case "RESUME" | "WAKEUP" | "SUSPEND":
                return Happening("suspended" if name == "SUSPEND" else "running")
            case "STOP" if self.state is not RunState.SHUTDOWN:
                return Happening("paused", self.state.value)
            case "SHUTDOWN" | "RESET":
                return Happening("shutdown" if name == "SHUTDOWN" else "reset", _reason(data))
            case "BLOCK_IO_ERROR" | "DEVICE_DELETED":
                gone = Happening("unplugged", printable(get_str(data, "device"), 128))
                return gone if name == "DEVICE_DELETED" else Happening("io-error", _io_error(data))
            case "GUEST_PANICKED" | "WATCHDOG":
                kind: EventKind = "watchdog" if name == "WATCHDOG" else "panicked"
                return Happening(kind, printable(get_str(data, "action"), 64))
        return None


_CAUSES = {
    "SHUTDOWN": RunState.SHUTDOWN,
    "BLOCK_IO_ERROR": RunState.IO_ERROR,
    "GUEST_PANICKED": RunState.GUEST_PANICKED,
    "WATCHDOG": RunState.WATCHDOG,
}
"""Events that tell why STOP follows, if their action is to stop the machine."""
_STANDING = (RunState.PAUSED, RunState.SUSPENDED, RunState.IO_ERROR, RunState.WATCHDOG, RunState.INTERNAL_ERROR)
"""In which a machine that is reset stands still before its first instruction."""


def port_change(name: str, data: JsonObject) -> tuple[str, bool] | None:
    """(device id, open) of a VSERPORT_CHANGE event: the guest opened or closed a virtio-serial port."""
    if name != "VSERPORT_CHANGE":
        return None
    return get_str(data, "id"), data.get("open") is True


def agent_port_open(chardevs: Json, agent_socket: str) -> bool:
    """Whether the guest has the agent's port open, from the reply of ``query-chardev``.

    ``frontend-open`` of a virtserialport's chardev is exactly that; ``filename`` is "unix:PATH,server=on", after
    "disconnected:" while no client is connected to the socket.
    """
    if not isinstance(chardevs, list):
        return False
    for chardev in chardevs:
        if isinstance(chardev, dict):
            filename = get_str(chardev, "filename").removeprefix("disconnected:")
            if filename.removeprefix("unix:").split(",server", 1)[0] == agent_socket:
                return chardev.get("frontend-open") is True
    return False


def event_of(message: JsonObject) -> tuple[str, JsonObject]:
    """(name, data) of a QMP event message."""
    return get_str(message, "event"), get_object(message, "data")


def _reason(data: JsonObject) -> str:
    default = "guest-shutdown" if data.get("guest") is True else "host"
    return printable(get_str(data, "reason", default), 64)


def _io_error(data: JsonObject) -> str:
    device = get_str(data, "device") or get_str(data, "node-name")
    reason = "no space left" if data.get("nospace") is True else get_str(data, "reason", "unknown reason")
    return printable(f"{device}: {get_str(data, 'operation', 'I/O')} failed: {reason}", 256)
