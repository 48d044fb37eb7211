from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.hypervisor.model import RunState
from solovirt.hypervisor.states import Happening, StateTracker, agent_port_open, event_of, port_change
from solovirt.kit.json import Json, JsonObject

IO_ERROR: JsonObject = {
    "device": "",
    "node-name": "ua-x",
    "operation": "write",
    "action": "stop",
    "reason": "Full\n",
}


def tell(*events: tuple[str, JsonObject]) -> tuple[RunState, list[tuple[str, str]]]:
    tracker = StateTracker()
    happenings = [tracker.apply(name, data) for name, data in events]
    return tracker.state, [(one.kind, one.detail) for one in happenings if one is not None]


def test_run_and_pause() -> None:
    assert tell(("RESUME", {})) == (RunState.RUNNING, [("running", "")])
    assert tell(("RESUME", {}), ("STOP", {})) == (RunState.PAUSED, [("running", ""), ("paused", "paused")])


def test_shutdown_is_not_a_pause() -> None:
    off: JsonObject = {"guest": True, "reason": "guest-shutdown"}
    assert tell(("SHUTDOWN", off), ("STOP", {})) == (RunState.SHUTDOWN, [("shutdown", "guest-shutdown")])
    assert tell(("SHUTDOWN", {"guest": False})) == (RunState.UNKNOWN, [("shutdown", "host")])


def test_the_cause_of_a_stop_comes_before_it_and_is_used_once() -> None:
    told = [("io-error", "ua-x: write failed: Full "), ("paused", "io-error")]
    assert tell(("BLOCK_IO_ERROR", IO_ERROR), ("STOP", {})) == (RunState.IO_ERROR, told)
    assert tell(("BLOCK_IO_ERROR", IO_ERROR), ("STOP", {}), ("RESUME", {}), ("STOP", {}))[0] is RunState.PAUSED
    assert tell(("BLOCK_IO_ERROR", {**IO_ERROR, "action": "report"}), ("STOP", {}))[0] is RunState.PAUSED
    assert tell(("GUEST_PANICKED", {"action": "pause"}), ("STOP", {}))[0] is RunState.GUEST_PANICKED
    fired = [("watchdog", "pause"), ("paused", "watchdog")]
    assert tell(("WATCHDOG", {"action": "pause"}), ("STOP", {})) == (RunState.WATCHDOG, fired)
    assert tell(("WATCHDOG", {"action": "reset"}), ("RESET", {"guest": True, "reason": "guest-reset"})) == (
        RunState.UNKNOWN,
        [("watchdog", "reset"), ("reset", "guest-reset")],
    )


def test_what_is_reset_while_it_stands() -> None:
    """It stands on, before its first instruction; one that runs, runs on."""
    reset: tuple[str, JsonObject] = ("RESET", {"guest": False, "reason": "host-qmp-system-reset"})
    assert tell(("RESUME", {}), ("STOP", {}), reset)[0] is RunState.PRELAUNCH
    assert tell(("RESUME", {}), ("SUSPEND", {}), reset)[0] is RunState.PRELAUNCH
    assert tell(("BLOCK_IO_ERROR", IO_ERROR), ("STOP", {}), reset, ("RESUME", {}))[0] is RunState.RUNNING
    assert tell(("RESUME", {}), reset)[0] is RunState.RUNNING
    assert tell(("SHUTDOWN", {"guest": True}), ("STOP", {}), reset)[0] is RunState.SHUTDOWN


def test_no_space_is_said_in_words() -> None:
    assert tell(("BLOCK_IO_ERROR", {**IO_ERROR, "device": "d", "nospace": True}))[1] == [
        ("io-error", "d: write failed: no space left")
    ]


def test_a_device_that_went_is_told() -> None:
    gone = ("DEVICE_DELETED", {"device": "ua-x", "path": "/machine/peripheral/ua-x"})
    assert tell(gone) == (RunState.UNKNOWN, [("unplugged", "ua-x")])


def test_suspend_and_wakeup() -> None:
    asleep = [("running", ""), ("suspended", "")]
    assert tell(("RESUME", {}), ("SUSPEND", {})) == (RunState.SUSPENDED, asleep)
    assert tell(("SUSPEND", {}), ("WAKEUP", {})) == (RunState.RUNNING, [("suspended", ""), ("running", "")])


json_values = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "RESUME",
                    "STOP",
                    "SHUTDOWN",
                    "RESET",
                    "BLOCK_IO_ERROR",
                    "GUEST_PANICKED",
                    "WATCHDOG",
                    "DEVICE_DELETED",
                    "X",
                ]
            ),
            st.dictionaries(st.sampled_from(["action", "reason", "device", "guest", "nospace"]), json_values),
        ),
        max_size=12,
    )
)
@settings(max_examples=80)
def test_no_event_breaks_the_tracker(events: list[tuple[str, JsonObject]]) -> None:
    tracker = StateTracker()
    for name, data in events:
        happening = tracker.apply(name, data)
        assert happening is None or isinstance(happening, Happening)
        if name == "RESUME":
            assert tracker.state is RunState.RUNNING
        if name == "STOP":
            assert tracker.state not in (RunState.RUNNING, RunState.UNKNOWN)


def test_port_change() -> None:
    assert port_change("VSERPORT_CHANGE", {"id": "channel0", "open": True}) == ("channel0", True)
    assert port_change("VSERPORT_CHANGE", {"id": 5, "open": 1}) == ("", False)
    assert port_change("STOP", {"id": "channel0", "open": True}) is None


@pytest.mark.parametrize(
    ("filename", "frontend", "expected"),
    [
        ("disconnected:unix:/r/agent.sock,server=on", True, True),
        ("unix:/r/agent.sock,server=on", True, True),
        ("unix:/r/agent.sock,server=on", False, False),
        ("unix:/r/agent.sock2,server=on", True, False),
        ("pty:/r/agent.sock", True, False),
    ],
)
def test_agent_port_open(filename: str, frontend: bool, expected: bool) -> None:
    chardevs: Json = [{"label": "x", "filename": "null"}, {"filename": filename, "frontend-open": frontend}, 5]
    assert agent_port_open(chardevs, "/r/agent.sock") is expected


def test_agent_port_open_of_nonsense() -> None:
    assert agent_port_open(None, "/r/agent.sock") is False
    assert agent_port_open([], "/r/agent.sock") is False


def test_event_of() -> None:
    assert event_of({"event": "STOP", "timestamp": {}}) == ("STOP", {})
    assert event_of({"event": 5, "data": "x"}) == ("", {})


def test_a_stop_of_our_own_making() -> None:
    tracker = StateTracker()
    tracker.set(RunState.RUNNING)
    tracker.expect(RunState.SAVE_VM)
    assert tracker.apply("STOP", {}) == Happening("paused", "save-vm")
    assert tracker.state is RunState.SAVE_VM
    tracker.apply("RESUME", {})
    tracker.expect(RunState.SAVE_VM)
    tracker.expect(None)
    tracker.apply("STOP", {})
    assert tracker.state is RunState.PAUSED
