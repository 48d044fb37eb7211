"""Figures that the agent tells, and agents that do not."""

from __future__ import annotations

from solovirt.hypervisor.guestfigures import MAX_FILESYSTEMS, SILENCE, SLOW, GuestFigures
from solovirt.kit.errors import GuestError
from solovirt.kit.json import Json, JsonObject

MAC = "52:54:00:12:34:56"
COUNTED: JsonObject = {"rx-bytes": 1290, "rx-packets": 3, "tx-bytes": 1196, "tx-packets": 8, "tx-errs": 1}
ETH0: JsonObject = {"name": "eth0", "hardware-address": MAC.upper(), "statistics": {**COUNTED, "rx-dropped": 2}}


class Agent:
    def __init__(self, **replies: Json) -> None:
        self.connected = True
        self.replies = {name.replace("_", "-"): reply for name, reply in replies.items()}
        self.asked: list[str] = []

    async def command(self, name: str, arguments: JsonObject | None = None, *, timeout: float = 0) -> Json:
        self.asked.append(name)
        assert 0 < timeout <= 1, "people wait for it"
        if name not in self.replies:
            raise GuestError(f"{name}: unknown", reason="CommandNotFound")
        return self.replies[name]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_interfaces_by_their_addresses() -> None:
    bridge: JsonObject = {"name": "br0", "hardware-address": MAC, "statistics": {"rx-bytes": 7}}
    lo: JsonObject = {"name": "lo", "hardware-address": "00:00:00:00:00:00", "statistics": COUNTED}
    figures = GuestFigures(Agent(guest_network_get_interfaces=[lo, ETH0, bridge]))
    (nic,) = await figures.nics({MAC: "default"})
    assert (nic.name, nic.source) == ("default", "guest-agent")
    assert (nic.rx_bytes, nic.rx_packets, nic.rx_dropped) == (1290, 3, 2)
    assert (nic.tx_bytes, nic.tx_packets, nic.tx_errors) == (1196, 8, 1)


async def test_what_a_hostile_guest_says_is_bounded() -> None:
    huge: JsonObject = {"hardware-address": MAC, "statistics": {"rx-bytes": 1 << 63, "tx-bytes": -5}}
    (nic,) = await GuestFigures(Agent(guest_network_get_interfaces=[huge])).nics({MAC: "default"})
    assert (nic.rx_bytes, nic.tx_bytes) == (1 << 63, 0)
    for reply in (None, 5, [5], [{"statistics": "x"}], {"a": []}):
        assert await GuestFigures(Agent(guest_network_get_interfaces=reply)).nics({MAC: "default"}) == ()
    many: list[Json] = [{"mountpoint": f"/{n}", "used-bytes": 1, "total-bytes": 2} for n in range(500)]
    assert len(await GuestFigures(Agent(guest_get_fsinfo=many)).filesystems()) == MAX_FILESYSTEMS


async def test_a_command_that_fails_is_left_alone_for_a_while() -> None:
    agent, clock = Agent(), Clock()
    figures = GuestFigures(agent, clock=clock)
    assert await figures.load() is None
    assert await figures.load() is None
    assert agent.asked == ["guest-get-load"]
    clock.now += SILENCE
    agent.replies["guest-get-load"] = {"load1m": 0.5, "load5m": 0.25, "load15m": 0.125}
    found = await figures.load()
    assert found is not None
    assert (found.one, found.five, found.fifteen) == (0.5, 0.25, 0.125)


async def test_an_agent_that_came_back_is_asked_again() -> None:
    agent = Agent()
    figures = GuestFigures(agent, clock=Clock())
    await figures.load()
    agent.connected = False
    assert await figures.load() is None
    agent.connected = True
    await figures.load()
    assert agent.asked == ["guest-get-load", "guest-get-load"]


async def test_file_systems_are_asked_for_now_and_then() -> None:
    root: JsonObject = {"name": "vda1", "mountpoint": "/", "type": "ext4", "used-bytes": 10, "total-bytes": 30}
    unknown: JsonObject = {"name": "vdb", "mountpoint": "/mnt", "type": "ext4", "disk": []}
    agent, clock = Agent(guest_get_fsinfo=[root, root, unknown]), Clock()
    figures = GuestFigures(agent, clock=clock)
    (found,) = await figures.filesystems()
    assert (found.disk, found.mount_point, found.type, found.used, found.total) == ("vda1", "/", "ext4", 10, 30)
    await figures.filesystems()
    assert agent.asked == ["guest-get-fsinfo"]
    clock.now += SLOW
    await figures.filesystems()
    assert len(agent.asked) == 2
    agent.connected = False
    assert await figures.filesystems() == ()
