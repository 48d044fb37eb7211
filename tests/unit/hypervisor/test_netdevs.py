from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.hypervisor.netdevs import backends, parse
from solovirt.kit.json import Json, JsonObject

LISTING = """\
virtio-net.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56
ua-default: index=0,type=nic,model=virtio-net-pci,macaddr=02:5e:6e:26:5a:30
 \\ hostua-default: index=0,type=user,net=10.0.2.0,restrict=off
hostua-alone: index=0,type=user,net=10.0.2.0,restrict=off
hub 0
 \\ hub0port0: index=0,type=hubport,
"""


class Machine:
    async def qmp(self, command: str, arguments: JsonObject | None = None) -> Json:
        assert (command, arguments) == ("human-monitor-command", {"command-line": "info network"})
        return LISTING


async def test_backends_with_and_without_a_device() -> None:
    assert await backends(Machine()) == {"hostua-default", "hostua-alone", "hub0port0"}


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_anything_else_is_nothing(text: str) -> None:
    assert all(name.isascii() for name in parse(text))
